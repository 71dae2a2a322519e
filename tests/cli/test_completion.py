"""What a shell offers where an argument is typed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from testbed.cli.completion import script


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="testbed")
    commands = made.add_subparsers()
    run = commands.add_parser("run", help="a run")
    run.add_argument("scenario")
    run.add_argument("--key", type=Path)
    commands.add_parser("doctor", help="a check").add_argument("--name")
    return made


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_are_offered_with_their_folders_and_without(shell: str) -> None:
    words = script(parser(), shell).replace("(", " ").replace('"', " ").split()
    assert {"history/2021-03-10", "2021-03-10"} <= set(words)


@pytest.mark.parametrize(("shell", "files"), [
    ("bash", "_testbed_file"), ("zsh", ":_testbed_file"), ("fish", "__fish_complete_path"),
])  # fmt: skip
def test_what_is_a_path_is_offered_files(shell: str, files: str) -> None:
    assert files in script(parser(), shell)


def test_an_argument_of_the_same_name_that_names_nothing_of_ours_is_offered_nothing() -> None:
    assert "doctor___name_COMPGEN" not in script(parser(), "bash")
