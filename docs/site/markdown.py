"""Markdown of plain text and tables, for pages that are made of code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["as_text", "code", "fenced", "table"]

_MEANS_SOMETHING = re.compile(r"([\\*_{}\[\]<>#|$~^])")
_CODE = re.compile(r"(`+[^`]*`+)")
_OPTION = re.compile(r"(?<![\w`-])--(?:[a-z][\w-]*)?(?![\w`-])")


def as_text(plain: str) -> str:
    """Return plain text that Markdown shows as it is. Options, and what stands between backquotes, are code."""
    parts = _CODE.split(plain)
    return "".join(part if index % 2 else _escaped(part) for index, part in enumerate(parts))


def _escaped(plain: str) -> str:
    return _OPTION.sub(lambda option: f"`{option[0]}`", _MEANS_SOMETHING.sub(r"\\\1", plain))


def code(plain: object) -> str:
    """Return text as code in a line; in a table too, where a bar would end the cell."""
    text = str(plain)
    if not text:
        return ""
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{text}{ticks}".replace("|", "\\|")


def fenced(text: str, language: str = "text") -> str:
    """Return a block of text that stays as it is."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    names = list(head)
    lines = [names, ["---"] * len(names), *([cell.replace("\n", " ") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
