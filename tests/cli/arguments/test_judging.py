"""What the commands that judge refuse on their command line."""

from __future__ import annotations

import pytest

from tests.cli.program import status


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["validate"], "required: suite"),
        (["validate", "smoke", "--jobs", "0"], "expected a whole number from 1 on, got '0'"),
        (["validate", "smoke", "--jobs", "two"], "expected a whole number"),
        (["validate", "smoke", "--plan", "--cell", "policed/1"], "not allowed with"),
        (["detect", "x", "--timeout", "0"], "expected a number of seconds, got '0'"),
        (["detect", "x", "--timeout", "nan"], "expected a number of seconds"),
    ],
)
def test_what_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str) -> None:
    assert status(*arguments) == 2
    assert problem in capsys.readouterr().err
