"""Tries, as they are read from a folder that a student could write to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError
from testbed.labs.tried import read_tries

if TYPE_CHECKING:
    from pathlib import Path

TRY = {"format": 1, "lab": "small", "case": "A", "what": "evade", "name": "one", "seen": []}


def test_tries_are_told_by_case(tmp_path: Path) -> None:
    assert read_tries(tmp_path, "small") == {}
    (tmp_path / "tries").mkdir()
    for nth, changes in enumerate(({}, {"name": "two"}, {"case": "B"}, {})):
        (tmp_path / "tries" / f"{nth}.json").write_text(json.dumps(TRY | changes))
    assert read_tries(tmp_path, "small") == {"A": {"one", "two"}, "B": {"one"}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "no try, or a damaged one"),
        ("[" * 100_000, "no try, or a damaged one"),
        (json.dumps(TRY | {"name": 7}), "name: expected a text"),
        (json.dumps(TRY | {"lab": "other"}), "a try of another lab"),
        ("x" * ((1 << 20) + 1), "more than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_try_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "tries").mkdir()
    (tmp_path / "tries" / "1.json").write_text(text)
    with pytest.raises(InputError, match=problem):
        read_tries(tmp_path, "small")
