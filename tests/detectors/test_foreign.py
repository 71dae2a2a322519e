"""Code of other packages: what it prints, and how it may end."""

from __future__ import annotations

import sys

import pytest

from testbed.detectors.foreign import foreign
from testbed.errors import InputError


def test_what_it_prints_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    with foreign():
        sys.stdout.write("noise\n")
    sys.stdout.write("result\n")
    assert capsys.readouterr() == ("result\n", "noise\n")


def test_it_fails_where_it_would_end_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="it would have ended the program: SystemExit: 7"), foreign():
        sys.exit(7)
    sys.stdout.write("result\n")
    assert capsys.readouterr().out == "result\n"
