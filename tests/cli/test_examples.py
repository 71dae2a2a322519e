"""Every command has examples, and they can be typed as they stand."""

from __future__ import annotations

import itertools
import re
import shlex

import pytest

from testbed.cli import main
from testbed.cli.arguments import make_parser
from testbed.cli.examples import EXAMPLES


@pytest.mark.parametrize("name", [*EXAMPLES, "run", "probe"])
def test_the_help_of_a_command_has_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert "\nexamples:\n" in capsys.readouterr().out


def test_an_example_of_the_help_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """By the parser: whatever it names need not be there."""
    del capsys
    for example in itertools.chain(*EXAMPLES.values()):
        words = shlex.split(re.split(r"[>|]", example.split("| ")[-1])[0])
        assert make_parser().parse_args(words[1:]).command
