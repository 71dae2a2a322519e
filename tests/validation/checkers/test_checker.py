"""Checkers: commands with places, descriptions in files, and what their answers depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError
from testbed.validation.checkers.checker import Checker, Subject, is_checker, refuse_unusable

if TYPE_CHECKING:
    from pathlib import Path

SUBJECT = Subject("twitter.com", "example.com", "/60000.bin", 60_000)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def described(folder: Path, text: str) -> Checker:
    path = folder / "sub" / "tool.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"format: 1\n{text}")
    return Checker.of(f"run:{path}")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("command", "filled"),
    [
        ("./tool {target} {control}", ["./tool", "twitter.com", "example.com"]),
        ("./tool --size={bytes} '{target_url}'", ["./tool", "--size=60000", "https://twitter.com/60000.bin"]),
        ("./tool '{{print}} {control_url}'", ["./tool", "{print} https://example.com/60000.bin"]),
        ("./tool 'a b' {target}", ["./tool", "a b", "twitter.com"]),
        ("./tool {} {2} {A}", ["./tool", "{}", "{2}", "{A}"]),
    ],
)
def test_places_of_a_command_are_filled(command: str, filled: list[str]) -> None:
    assert Checker.of(f"run:{command}").command(SUBJECT) == filled


@pytest.mark.usefixtures("folder")
def test_a_name_that_looks_like_a_place_is_not_filled_again() -> None:
    strange = Subject("{control}", "example.com", "/{target}", 1)
    assert Checker.of("run:./tool {target_url}").command(strange) == ["./tool", "https://{control}/{target}"]


@pytest.mark.usefixtures("folder")
def test_a_line_without_a_control_has_no_place_for_one() -> None:
    alone = Subject("twitter.com", None, "/1.bin", 1)
    assert Checker.of("run:./tool {target}").command(alone) == ["./tool", "twitter.com"]
    with pytest.raises(InputError, match=r"the line has no control for \{control_url\}"):
        Checker.of("run:./tool {target} {control_url}").command(alone)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("run:", "expected a program, got nothing"),
        ("run:./tool 'x", "quoted as for a shell"),
        ("run:./tool {taget}", r"no place \{taget\} is known; there are \{target\}, \{control\}"),
        ("run:./no-tool {target}", "'./no-tool' was not found, or may not be executed"),
        ("run:no-such-program-anywhere", "was not found"),
        ("run:./no.yaml", "cannot read no.yaml"),
    ],
)
def test_what_cannot_be_run_is_refused(name: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        refuse_unusable(["joint", name])


def test_a_description_says_how_to_read_an_answer(folder: Path) -> None:
    beside = folder / "sub" / "tool"
    beside.parent.mkdir()
    beside.write_text("#!/bin/sh\n")
    beside.chmod(0o700)
    found = described(folder, "command: ./tool {target}\nstatuses: {0: not throttled, 7: throttled}\ntime: 3 min\n")
    assert found.command(SUBJECT) == [str(beside), "twitter.com"]
    assert found.statuses == {0: "not throttled", 7: "throttled"}
    assert (found.longest_s, found.longest_wall_s) == (180.0, 120.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("command: ./tool\nstatuses: {0: slow}\n", "tool.yaml:3: statuses.0: expected 'throttled', 'not throttled'"),
        ("command: ./tool\nstatus: {0: throttled}\n", "tool.yaml:3: status: unknown key"),
        ("statuses: {0: throttled}\n", "command: this key is missing"),
        ("command: ./tool\ntime: 0 s\n", "tool.yaml:3: time: expected a duration above 0"),
        ("command: ./tool {x}\n", "tool.yaml:2: command: no place {x} is known"),
        ("command: ./tool\nstatuses: {0: throttled}\nwords: {throttled: [a]}\n", "keep one of them"),
        ("command: ./tool\nwords: {throttled: ['']}\n", "tool.yaml:3: words.throttled"),
    ],
)
def test_a_description_that_is_wrong_is_refused_with_its_line(folder: Path, text: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        described(folder, text)
    assert problem in str(caught.value)


def test_another_program_argument_or_reading_is_another_checker(folder: Path) -> None:
    (folder / "list.txt").write_text("one")
    names = ["run:./tool {target} list.txt", "run:./tool {target}", "run:./tool {control} list.txt"]
    before = [Checker.of(name).digest() for name in names]
    assert len(set(before)) == 3
    (folder / "list.txt").write_text("two")
    assert [Checker.of(name).digest() == old for name, old in zip(names, before, strict=True)] == [False, True, False]
    (folder / "tool").write_text("#!/bin/sh\nexit 1\n")
    assert Checker.of(names[1]).digest() != before[1]
    texts = ("", "statuses: {0: throttled}\n", "words: {throttled: [a]}\n", "time: 1 s\n", "wall_time: 1 s\n")
    assert len({described(folder, f"command: {folder}/tool\n{text}").digest() for text in texts}) == 5


def test_checkers_are_told_from_detectors() -> None:
    assert [is_checker(name) for name in ("run:./tool", "exec:./tool", "joint")] == [True, False, False]
