"""Runs of a corpus made again: what is compared, and what is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import InputError
from testbed.validation.corpus import rebuilt
from testbed.validation.corpus.archive import Archive
from testbed.validation.corpus.contents import read_index
from testbed.validation.corpus.part import make_part, world_of
from testbed.validation.corpus.rebuilt import differences, made_by_others, sample
from testbed.validation.keeping.store import Store
from tests.validation.corpus.made import WORLD, index, members, truth, written
from tests.validation.running.test_work import CELL

if TYPE_CHECKING:
    from testbed.engine.kernel import KernelInfo


def test_a_sample_is_drawn_and_the_same_every_time() -> None:
    of = index(*(f"policed/{number}" for number in range(1, 10)))
    found = sample(of, 3, "a")
    assert found == sample(of, 3, "a")
    assert len({each["id"] for each in found}) == 3
    assert sample(of, 99, "a") == of["cells"]


def test_what_other_versions_made_is_named(monkeypatch: pytest.MonkeyPatch, kernel: KernelInfo) -> None:
    assert made_by_others(index(world=world_of(kernel)), kernel) == []
    other = {**WORLD, "kernel": "k2", "programs": {"nginx": "n", "curl": "c"}}
    monkeypatch.setattr(rebuilt, "world_of", lambda _: other)
    assert made_by_others(index(), kernel) == ["kernel: k, here k2", "curl: another version"]


def real(folder: Path, kernel: KernelInfo, scenario: str = CELL.scenario) -> dict[str, Any]:
    """The members of a corpus of one real cell."""
    made = make_part(replace(CELL, scenario=scenario), kernel, Store(folder / "store"), "none")
    of = index("policed/1", world=world_of(kernel))
    return {"corpus.json": of} | {f"cells/policed-1/{path.name}": path.read_bytes() for path in made.iterdir()}


def compared(path: Path, kernel: KernelInfo) -> list[str]:
    with Archive(path) as archive:
        of = read_index(archive)
        return differences(archive, of, of["cells"], kernel)


def test_a_run_made_again_is_the_same_or_the_difference_is_told(tmp_path: Path, kernel: KernelInfo) -> None:
    contents = real(tmp_path, kernel)
    assert compared(written(tmp_path / "same.zip", contents), kernel) == []
    name = "cells/policed-1/line.observation.json"
    lie = bytearray(contents[name])
    lie[100:101] = b"9" if lie[100:101] != b"9" else b"8"
    other = {key: each for key, each in contents.items() if not key.endswith("01.ndt7.json")}
    other |= {name: bytes(lie), "cells/policed-1/extra.txt": b""}
    assert compared(written(tmp_path / "other.zip", other), kernel) == [
        "cells/policed-1/extra.txt: only in the corpus",
        "cells/policed-1/line.01.ndt7.json: not in the corpus",
        f"{name}: differs from byte 100 on",
    ]


def test_a_scenario_that_comes_along_is_made_again(tmp_path: Path, kernel: KernelInfo) -> None:
    own = tmp_path / "mine.yaml"
    text = (Path(__file__).resolve().parents[3] / "scenarios" / "throttling" / "policed.yaml").read_text()
    own.write_text(text)
    contents = real(tmp_path, kernel, str(own))
    own.unlink()
    assert compared(written(tmp_path / "same.zip", contents), kernel) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"scenario": "/etc/passwd"}, "its scenario '/etc/passwd' is neither packaged nor in the corpus"),
        ({"scenario": "../mine.yaml"}, "scenario '../mine.yaml': no such file"),
        ({"settings": ["network.topology=evil.py"]}, "its topology 'evil.py' is none of the packaged ones"),
        ({"settings": ["network.topology='choice(dumbbell, evil.py)'"]}, "is none of the packaged ones"),
        ({"settings": ["network=evil.py"]}, "its topology None is none of the packaged ones"),
        ({"scenario": "no/such"}, "no/such"),
        ({"settings": ["censors.tspu=/etc/passwd"]}, "censors.tspu"),
    ],
)
def test_what_a_corpus_says_of_this_machine_is_not_followed(
    tmp_path: Path, kernel: KernelInfo, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    # As it would lie there after `corpus fetch-from-file`: a topology is a program, and would be run.
    (tmp_path / "evil.py").write_text("from pathlib import Path\nPath('was-here').touch()\ntopos = {}\n")
    lie = json.dumps(truth("policed/1", is_throttled=True, **changes)).encode()
    path = written(tmp_path / "x.zip", members() | {"cells/policed-1/truth.json": lie})
    with Archive(path) as archive, pytest.raises(InputError) as caught:
        differences(archive, read_index(archive), read_index(archive)["cells"][:1], kernel)
    assert problem in str(caught.value)
    assert not (tmp_path / "was-here").exists()
