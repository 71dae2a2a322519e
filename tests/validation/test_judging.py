"""Detectors are asked once; another detector, or a changed one, is asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.detectors.verdict import inconclusive
from testbed.errors import InputError
from testbed.validation import judging
from testbed.validation.judging import detector_digest, judgements, known_digest
from testbed.validation.keeping.store import Store
from tests.validation.cells import kept

if TYPE_CHECKING:
    from pathlib import Path


def test_a_detector_judges_what_the_store_has(tmp_path: Path) -> None:
    store = Store(tmp_path)
    cell = kept(store, "k")
    (found,) = judgements(store, cell.key, cell.record, ["ooni"])
    assert (found.line, found.detector) == ("line", "ooni")
    assert found.verdict["outcome"] in {"throttled", "not throttled", "inconclusive"}
    assert "failed" not in found.verdict


def test_what_was_said_is_not_asked_again_unless_the_detector_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def judge(name: str, _: object) -> Any:
        asked.append(name)
        return inconclusive(name, "no opinion"), False

    monkeypatch.setattr(judging, "judge", judge)
    store = Store(tmp_path)
    cell = kept(store, "k")
    for _ in range(2):
        assert len(list(judgements(store, cell.key, cell.record, ["ooni", "joint"]))) == 2
    assert asked == ["ooni", "joint"]
    monkeypatch.setattr(judging, "detector_digest", lambda name: f"{name} of another day")
    list(judgements(store, cell.key, cell.record, ["joint"]))
    assert asked == ["ooni", "joint", "joint"]


def test_a_program_that_breaks_is_told_by_name(tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_text("#!/bin/sh\necho garbage\n")
    program.chmod(0o700)
    store = Store(tmp_path / "store")
    cell = kept(store, "k")
    (found,) = judgements(store, cell.key, cell.record, [f"exec:{program}"])
    assert found.verdict["outcome"] == "inconclusive"
    assert found.verdict["failed"]
    assert found.verdict["detector"] == f"exec:{program}"


def test_a_digest_tells_detectors_and_programs_apart(tmp_path: Path) -> None:
    program = tmp_path / "p"
    program.write_text("one")
    program.chmod(0o700)
    before = detector_digest(f"exec:{program}")
    program.write_text("two")
    assert detector_digest(f"exec:{program}") != before
    assert detector_digest("joint") != detector_digest("ooni")


def test_the_digest_of_a_command_holds_every_file_that_it_names(tmp_path: Path) -> None:
    script = tmp_path / "my detector.py"
    commands = [f"exec:sh '{script}' --level 3", f"exec:'{script}' x"]
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    before = [known_digest(command) for command in commands]
    script.write_text("#!/bin/sh\nexit 1\n")
    assert all(old != known_digest(command) for old, command in zip(before, commands, strict=True))


@pytest.mark.parametrize("name", ["jiont", "exec:./no-such-program", "exec:'"])
def test_a_detector_that_is_not_there_is_told(name: str) -> None:
    with pytest.raises(InputError):
        known_digest(name)
