"""What the commands on corpora refuse on their command line."""

from __future__ import annotations

import pytest

from tests.cli.program import status


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "required: WHAT"),
        (["build", "smoke"], "required: -o/--output"),
        (["build", "smoke", "-o", "x.zip", "--captures", "some"], "invalid choice: 'some'"),
        (["build", "smoke", "-o", "x.zip", "--jobs", "0"], "expected a whole number from 1 on"),
        (["verify", "x.zip", "--sample", "-1"], "expected"),
        (["verify", "x.zip", "--sample", "few"], "expected a whole number from 1 on, got 'few'"),
        (["fetch-from-file", "x.zip"], "required: -o/--output"),
        (["score", "x.zip", "--timeout", "0"], "expected a number of seconds"),
        (["unpack", "x.zip"], "invalid choice: 'unpack'"),
    ],
)
def test_what_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str) -> None:
    assert status("corpus", *arguments) == 2
    assert problem in capsys.readouterr().err
