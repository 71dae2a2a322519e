"""The page of all commands and their options, made of the parser; the man page is made of it too."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING
from unittest import mock

from docs.site.markdown import as_text, fenced
from testbed.cli.arguments import make_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["commands", "commands_page"]

_HEAD = """\
# Commands and options

Results go to stdout, progress and messages to stderr. Exit statuses: 0 done; 1 found, or failed; 2 usage or input that
cannot be used; 3 something is missing on this machine; 4 invalid run; 128 + n stopped by signal n.
"""


def commands(parser: argparse.ArgumentParser | None = None) -> Iterator[argparse.ArgumentParser]:
    """Yield every command that can be typed, with those below it after it."""
    for action in (parser or make_parser())._actions:  # noqa: SLF001 - argparse says in no other way what it knows
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for each in dict.fromkeys(action.choices.values()):
                yield each
                yield from commands(each)


def commands_page() -> str:
    """Return the page."""
    with mock.patch.dict(os.environ, {"COLUMNS": "80"}):  # argparse wraps usage to the terminal's width
        return "\n\n".join([_HEAD.rstrip(), *map(_section, commands())]) + "\n"


def _section(parser: argparse.ArgumentParser) -> str:
    usage = re.sub(f"^(usage: | {{{len('usage: ')}}})", "", parser.format_usage(), flags=re.MULTILINE)
    parts = [f"## {parser.prog}"]
    parts += [as_text(parser.description)] if parser.description else []
    parts += [fenced(usage), *filter(None, map(_option, parser._actions))]  # noqa: SLF001
    parts += [fenced(parser.epilog)] if parser.epilog else []
    return "\n\n".join(parts)


def _option(action: argparse.Action) -> str | None:
    """Return an entry of a definition list. Commands below this one have sections of their own."""
    if isinstance(action, argparse._HelpAction | argparse._SubParsersAction) or action.help == argparse.SUPPRESS:  # noqa: SLF001
        return None
    value = action.metavar if isinstance(action.metavar, str) else None
    choices = "|".join(map(str, action.choices)) if action.choices is not None else None
    names = action.option_strings or [choices or value or action.dest]
    shown = value or choices or action.dest.upper()
    takes = f" {shown}" if action.option_strings and action.nargs != 0 else ""
    about = (action.help or "") % {**vars(action), "prog": "testbed"}
    if value and choices and not action.option_strings:
        names, about = [value], about or f"one of {choices.replace('|', ', ')}"
    term = ", ".join(f"`{name}{takes}`" for name in names)
    return f"{term}\n: {as_text(about) or 'see above'}"
