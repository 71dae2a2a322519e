"""What a student has tried, read from the folder. That somebody did the work is all that it tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypedDict

from testbed.errors import InputError
from testbed.labs.sheet import read_small
from testbed.records.shape import shaped

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TRIES", "Attempt", "read_tries"]

TRIES: Final = "tries"
_MOST_TRIES: Final = 1000
_MOST_BYTES: Final = 1 << 20


class Attempt(TypedDict):
    """One try, as it is kept in the student's folder.

    Keys:
        what: ``evade`` or ``probe``.
        name: Of the evasion, or of the probe.
        seen: A row for each thing that the client saw.
    """

    format: int
    lab: str
    case: str
    what: str
    name: str
    seen: list[dict[str, object]]


def read_tries(folder: Path, lab: str) -> dict[str, set[str]]:
    """Return by case the names of what was tried.

    Raises:
        InputError: A file is no try, is too large, or is of another lab.
    """
    place = folder / TRIES
    # The folder is the student's, and a link in it could lead anywhere.
    if place.is_symlink() or not place.is_dir():
        return {}
    found: dict[str, set[str]] = {}
    for path in sorted(place.glob("*.json"))[:_MOST_TRIES]:
        try:
            attempt = shaped(json.loads(read_small(path, _MOST_BYTES)), Attempt)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: no try, or a damaged one: {str(error)[:200]}; remove it") from error
        if attempt["lab"] != lab:
            raise InputError(f"{path}: this is a try of another lab; remove it")
        found.setdefault(attempt["case"], set()).add(attempt["name"])
    return found
