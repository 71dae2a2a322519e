"""Tables made to fit a terminal: long cells go on in the lines below. Files and pipes get tables as they are.

A table is known by the rule under its head, whose strokes say where columns begin. All other text is the terminal's.
"""

from __future__ import annotations

import re
import textwrap
from itertools import pairwise, zip_longest

__all__ = ["fitted"]

_RULE = re.compile(r" *─+(?: +─+)*")
_GAP = 2  # blanks between columns
_LEAST_PROSE = 20  # of a last column, which says why or about; narrower than that, it stands below its row
_BELOW = 4  # blanks before it
_NARROWEST = 8  # where a column is still worth reading; a terminal too small for that breaks lines itself


def fitted(text: str, width: int) -> str:
    """Return a text whose tables are no wider than a terminal, if they can be."""
    lines = text.split("\n")
    shown: list[str] = []
    at = 0
    while at < len(lines):
        end = at
        if at + 1 < len(lines) and _RULE.fullmatch(lines[at + 1]):
            end = next((index for index in range(at, len(lines)) if not lines[index].strip()), len(lines))
            shown += _fitted_table(lines[at:end], width)
        else:
            shown.append(lines[at])
        at = max(end, at + 1)
    return "\n".join(shown)


def _fitted_table(lines: list[str], width: int) -> list[str]:
    if max(map(len, lines)) <= width:
        return lines
    starts = [stroke.start() for stroke in re.finditer("─+", lines[1])]
    rows = [None if _RULE.fullmatch(line) else _cells(line, starts) for line in lines]
    cells = [row for row in rows if row]
    if not cells:
        return lines
    narrow = _widths(cells, width - starts[0])
    is_below = len(starts) > 1 and narrow[-1] < min(_LEAST_PROSE, max(len(row[-1]) for row in cells))
    if is_below:
        narrow = _widths([row[:-1] for row in cells], width - starts[0])
    if _taken(narrow) > width - starts[0]:
        return lines
    right = [_is_right(column, lines[1:], starts) for column in range(len(narrow))]
    # Where a first column names a group once, what stands below a row stands a bit to the right of the second.
    is_grouped = any(not row[0] for row in cells) and narrow[0] < width // 3
    below = " " * (starts[0] + narrow[0] + 2 * _GAP if is_grouped else _BELOW)
    shown: list[str] = []
    for line, row in zip(lines, rows, strict=True):
        parts = ["─" * each for each in narrow] if _RULE.fullmatch(line) else row
        shown += _row(parts[: len(narrow)], narrow, right, starts[0]) if parts else [line]
        if row and is_below:
            shown += textwrap.wrap(row[-1], width, initial_indent=below, subsequent_indent=below)
    return shown


def _widths(rows: list[list[str]], room: int) -> list[int]:
    """Return a width for each column, so that all fit if they can; words are broken last of all."""
    columns = list(zip(*rows, strict=True))
    wide = [max(map(len, column)) for column in columns]
    words = [max((len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    for least in (words, [_NARROWEST] * len(columns)):
        wide = _narrowed(wide, least, room)
    return wide


def _taken(widths: list[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _cells(line: str, starts: list[int]) -> list[str] | None:
    """Return a line's cells; None: it is no row, since text stands between two columns."""
    if any(line[start - _GAP : start].strip() for start in starts[1:]):
        return None
    return [line[start:end].strip() for start, end in pairwise([*starts, len(line) + starts[-1] + 1])]


def _narrowed(wide: list[int], least: list[int], room: int) -> list[int]:
    """Return widths that fit, if that takes no column below its least: the widest gives way first."""
    narrow = list(wide)
    while _taken(narrow) > room:
        yielding = [at for at, width in enumerate(narrow) if width > least[at]]
        if not yielding:
            break
        narrow[max(yielding, key=narrow.__getitem__)] -= 1
    return narrow


def _is_right(column: int, lines: list[str], starts: list[int]) -> bool:
    """Return whether a column stands to the right: in some row its text begins later than the column."""
    if column == len(starts) - 1:
        return False  # nothing tells where the last one ends
    cells = [line[starts[column] : starts[column + 1] - _GAP] for line in lines]
    return any(cell.strip() and cell.startswith(" ") for cell in cells)


def _row(cells: list[str], widths: list[int], right: list[bool], indent: int) -> list[str]:
    folded = [
        textwrap.wrap(cell, width, break_on_hyphens=False) or [""] for cell, width in zip(cells, widths, strict=True)
    ]
    shown = []
    for parts in zip_longest(*folded, fillvalue=""):
        placed = [
            part.rjust(width) if is_right else part.ljust(width)
            for part, width, is_right in zip(parts, widths, right, strict=True)
        ]
        shown.append((" " * indent + (" " * _GAP).join(placed)).rstrip())
    return shown
