"""Options of commands that make runs: what is no size and no engine is refused with the value."""

from __future__ import annotations

import argparse

import pytest

from testbed.cli.arguments.runs import add_options_of_runs, add_shell, engines_with_terminal
from testbed.engine.engine import DEFAULT_ENGINE, ENGINES


def test_a_prompt_is_offered_only_by_engines_whose_clock_runs() -> None:
    parser = argparse.ArgumentParser()
    add_shell(parser.add_subparsers())
    assert ENGINES[parser.parse_args(["shell", "x"]).engine].has_terminal
    with pytest.raises(SystemExit):
        parser.parse_args(["shell", "x", "--engine", DEFAULT_ENGINE])
    assert DEFAULT_ENGINE not in engines_with_terminal().split(" or ")


@pytest.mark.parametrize("size", ["1 MiB", "many", "-5"])
def test_a_guest_gets_no_memory_that_it_cannot_boot_with(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_options_of_runs(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["x", f"--memory={size}"])
    assert "--memory" in capsys.readouterr().err
