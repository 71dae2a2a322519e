"""A student's detector is asked about what the student has not seen, and earns points for both labels alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError
from testbed.labs.catalogue import find_lab
from testbed.labs.contest import contest
from tests.labs.made import Drawn

if TYPE_CHECKING:
    from pathlib import Path

ALWAYS = 'import sys; sys.stdin.read(); print(\'{"outcome": "%s", "why": "so it is"}\')'


def share(folder: Path, program: str | None = None, name: str = "detector.py") -> tuple[float, str]:
    if program is not None:
        (folder / "detector.py").write_text(program)
    lab = find_lab("6")
    question = lab.lab.questions["detector"]
    return contest(lab, 7, folder, name, question=question, recordings=Drawn(), timeout_s=20)


def test_one_that_compares_rates_is_right_where_nothing_else_is_slow(tmp_path: Path) -> None:
    worth, says = share(tmp_path, find_lab("6").given()["detector.py"].decode())
    assert worth == 1.0
    assert says == "8 of 8 lines right that are throttled, 8 of 8 lines right that are not throttled"


@pytest.mark.parametrize("outcome", ["throttled", "not throttled", "inconclusive"])
def test_one_that_always_says_the_same_earns_nothing(tmp_path: Path, outcome: str) -> None:
    assert share(tmp_path, ALWAYS % outcome)[0] == 0.0


def test_one_that_breaks_is_told_what_it_said(tmp_path: Path) -> None:
    worth, says = share(tmp_path, "raise SystemExit('no idea')")
    assert worth == 0.0
    assert "it broke: " in says
    assert "no idea" in says


@pytest.mark.parametrize(
    "name", ["../detector.py", "/etc/passwd", "a/../../x", "C:\\x.py", "..\\x.py", "", "lost.py", "."]
)
def test_a_file_that_is_not_in_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="detector: "):
        share(tmp_path, "pass", name)


def test_a_link_and_a_large_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to(tmp_path / "detector.py")
    with pytest.raises(InputError, match="there is no file"):
        share(tmp_path, "pass", "link.py")
    with pytest.raises(InputError, match="more than"):
        share(tmp_path, "#" * ((1 << 20) + 1))
