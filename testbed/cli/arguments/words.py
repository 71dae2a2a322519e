"""A parser that says what may have been meant by a word that it does not know, and keeps help in a terminal's width."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, NoReturn

from testbed.plain_text import choices

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Help", "WordParser"]

_INVALID_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")


class Help(argparse.RawDescriptionHelpFormatter):
    """Fills what a command does into lines; examples stay as they were typed."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)  # noqa: SLF001 - its subclass is this


class WordParser(argparse.ArgumentParser):
    """Parses as argparse does. Parsers of commands below it are of the same kind."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type] # argparse's own, passed on
        self.set_defaults(parser=self)  # of several, the one of the command that was given

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say; end with status 2 where one says nothing."""
        arguments, unknown = self.parse_known_args(words)
        if unknown:
            arguments.parser.refuse(unknown)
        return arguments

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Print usage, and what may have been meant by the first of these words; end with status 2."""
        option = words[0].partition("=")[0]
        meant = f"; {choices(option, self._option_string_actions)}" if option.startswith("-") else ""
        self.error(f"unrecognized arguments: {' '.join(words)}{meant}")

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and end with status 2."""
        if found := _INVALID_CHOICE.search(message):
            known = found[2].replace("'", "").split(", ")  # in quotes up to Python 3.13
            message = message.replace(found[0], f"invalid choice: {found[1]!r}; {choices(found[1], known)}")
        super().error(message)
