"""Text of others, made safe to show: on a terminal, in a table, on a page.

Names, errors and labels come from captures, programs and files of others. A control character among them could move
the cursor, hide a line or reverse its direction; what is shown instead says which character it was.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from difflib import get_close_matches
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["choices", "html_text", "in_fewer_characters", "one_line", "printable", "printable_bytes"]

_MOST_MEANT = 3
_MOST_LISTED = 40

# controls (C0 without line feed and tab, DEL, C1), separators of lines that are none to JSON, marks and overrides of
# direction, invisible characters, halves of surrogate pairs
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_UNSAFE_IN_A_LINE = re.compile(rf"{_UNSAFE.pattern}|[\n\t]")
_UNSAFE_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")  # the last: C1 in UTF-8

# Characters of our own tables and sentences, for who can show ASCII or Latin-1 alone.
_IN_ASCII = {"─": "-", "–": "-", "…": "...", "→": "->", "►": ">", "§": "section "}


def in_fewer_characters(error: UnicodeError) -> tuple[str | bytes, int]:
    """Say in ASCII what an encoding lacks, for `codecs.register_error`; what has no likeness is escaped."""
    if not isinstance(error, UnicodeEncodeError) or error.object[error.start] not in _IN_ASCII:
        return codecs.backslashreplace_errors(error)
    return _IN_ASCII[error.object[error.start]], error.start + 1


def printable(text: str) -> str:
    """Return a text of several lines, with every other control character escaped."""
    return _UNSAFE.sub(_escaped, text)


def one_line(text: str) -> str:
    """Return a text for a line, a cell or a label: line feeds and tabs are escaped, too."""
    return _UNSAFE_IN_A_LINE.sub(_escaped, text)


def printable_bytes(data: bytes) -> bytes:
    """Output of a program of unknown encoding: control characters escaped, but for tabs and ends of line."""
    return _UNSAFE_BYTES.sub(lambda found: b"".join(b"\\x%02x" % value for value in found.group()), data)


def html_text(text: str) -> str:
    """Return a text for a page: as `one_line`, and no markup."""
    return escape(one_line(text))


def choices(name: str, known: Iterable[str]) -> str:
    """Return what there is in the place of a name that nothing has, with what may have been meant, for a message.

    Of a hundred names nobody reads the list: what may have been meant stands alone, or the folders that they are in.
    """
    listed = list(known)
    # Of a path the last part is what people remember.
    last = {each.rpartition("/")[2].lower(): each for each in reversed(listed)}
    near = get_close_matches(name.rpartition("/")[2].lower(), last, n=_MOST_MEANT)
    meant = f"did you mean {' or '.join(last[each] for each in near)}?" if near else ""
    if len(listed) > _MOST_LISTED:
        folders = Counter(folder for folder, _, _ in (each.rpartition("/") for each in listed) if folder)
        alone = [each for each in listed if "/" not in each]
        return meant or "there are: " + ", ".join([*(f"{name}/… ({count})" for name, count in folders.items()), *alone])
    return (f"{meant} There are: " if meant else "there are: ") + ", ".join(listed)


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode("ascii")
