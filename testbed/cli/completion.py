"""What a shell offers where an argument is typed: packaged names, and files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import shtab

from testbed.cli.commands.listing import names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["script"]

# Of which kinds the names of an argument are; each may be the path of a file, too.
_KINDS_OF: dict[str, tuple[str, ...]] = {
    "scenario": ("scenarios",),
    "suite": ("suites",),
    "name": ("scenarios", "topologies", "profiles", "evasions", "detectors"),
    "files": ("scenarios", "topologies", "profiles", "suites"),
    "--profile": ("profiles",),
    "--censor": ("profiles",),
    "--detector": ("detectors",),
    "--evasion": ("evasions",),
    "--evade": ("evasions",),
    "--target": (),
    "--control": (),
}


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return what lets a shell complete the commands, options, names and files of a parser."""
    for command in _commands(parser):
        for argument in command._actions:  # noqa: SLF001 - argparse has no other way to them
            name = argument.option_strings[-1] if argument.option_strings else argument.dest
            if argument.type is Path or name in _KINDS_OF:
                argument.complete = _offer(_KINDS_OF.get(name, ()))  # type: ignore[attr-defined]  # shtab looks for it
    return shtab.complete(parser, shell=shell)


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for argument in parser._actions:  # noqa: SLF001 - argparse has no other way to them
        if isinstance(argument, argparse._SubParsersAction):  # noqa: SLF001
            for command in argument.choices.values():
                yield from _commands(command)


def _offer(kinds: Iterable[str]) -> dict[str, str | dict[str, str]]:
    """Return, in shtab's form, names of these kinds and files: with the folders that names have, and without."""
    full = [name for kind in kinds for name in names_of(kind)]
    words = " ".join(sorted({*full, *(name.rpartition("/")[2] for name in full)}))
    function = "_testbed_" + "_".join([*kinds, "file"])  # where a function is called so, shtab escapes blanks
    return {
        "bash": function,
        "zsh": function,
        "fish": f"(string split -n ' ' '{words}'; __fish_complete_path (commandline -ct))",
        "preamble": {
            "bash": f'{function}() {{\n  compgen -W "{words}" -- "$1"\n  compgen -f -- "$1"\n}}',
            "zsh": f'{function}() {{\n  _alternative "names:name:({words})" "files:file:_files"\n}}',
        },
    }
