"""Runs on the shelf: one that is damaged is made again, and a line is chosen by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError, InvalidRunError
from testbed.pytest_plugin import shelf
from testbed.pytest_plugin.shelf import Shelf
from testbed.validation.keeping.folders import all_folders
from testbed.validation.keeping.store import Store
from tests.validation.running.test_work import CELL

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo

SMALL = {"measurements.0.size": "60 kB", "measurements.0.repeat": 1}


@pytest.fixture
def own(tmp_path: Path, kernel: KernelInfo) -> Shelf:
    return Shelf(Store(tmp_path / "store"), kernel)


def test_a_run_is_found_by_what_its_bytes_depend_on(own: Shelf) -> None:
    first = own.run("throttling/policed", 3, SMALL)
    assert own.run("throttling/policed", 3, SMALL).path == first.path
    (first.path / "manifest.json").write_text("{")
    again = own.run("throttling/policed", 3, SMALL)
    assert (again.path, again.valid) == (first.path, True)
    assert list((own.store.path / "work").iterdir()) == []
    with pytest.raises(InputError, match="no line 'x' in this run; there are: line"):
        own.observation("throttling/policed", 3, SMALL, "x")


def test_a_run_that_must_not_be_scored_is_not_kept(own: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "run_plan", lambda *_, **__: {"valid": False, "problems": ["a clock ran late"]})
    with pytest.raises(InvalidRunError, match="do not score this run: a clock ran late"):
        own.run("throttling/policed", 4, SMALL)
    assert list(all_folders(own.store)) == []


def test_a_cell_has_its_lines_with_labels(own: Shelf) -> None:
    found = own.cell(CELL)
    assert [(line.name, line.label, line.observation.source) for line in found.lines] == [("line", "throttled", "cell")]
    assert (found.id, found.left_out) == ("policed/1", ())
