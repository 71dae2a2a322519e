"""Parts put together: an index, a page, and every file of every part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.validation.cells import Cell
from testbed.validation.corpus.building import index_of, members_of
from tests.validation.corpus.made import WORLD, truth

if TYPE_CHECKING:
    from pathlib import Path

CELLS = [
    Cell("held_out", "policed", 1, "throttling/policed", (), 7),
    Cell("development", "clean", 2, "confounders/clean", (), 2),
]


def test_members_are_the_files_of_parts_with_an_index_and_a_page(tmp_path: Path) -> None:
    for name, cell in (("one", "policed/1"), ("two", "clean/2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "truth.json").write_text(json.dumps(truth(cell, is_throttled=name == "one")))
        (tmp_path / name / "line.observation.json").write_text("{}")
    index = index_of(
        CELLS, title="Small", suite="small", held_out_seed="x", version="0.1.0", captures="none", world=WORLD
    )
    found = members_of(index, {"policed/1": tmp_path / "one", "clean/2": tmp_path / "two"})
    assert sorted(found) == [
        "README.md", "cells/clean-2/line.observation.json", "cells/clean-2/truth.json",
        "cells/policed-1/line.observation.json", "cells/policed-1/truth.json", "corpus.json",
    ]  # fmt: skip
    assert isinstance(found["corpus.json"], bytes)
    assert json.loads(found["corpus.json"]) == index
    page = found["README.md"]
    assert isinstance(page, bytes)
    rows = page.decode().splitlines()[-2:]
    assert rows == [
        "| cells/policed-1 | held_out | line: throttled | `testbed run policed/1 --seed 1` |",
        "| cells/clean-2 | development | line: not throttled | `testbed run clean/2 --seed 1` |",
    ]
    assert "There are no captures." in page.decode()
