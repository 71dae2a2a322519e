"""Whole folders in a store, by kind and key: run directories that tests ask for, and parts of corpora.

They are made aside and moved into place, like cells, and are swept away when nobody has asked for them for a while.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, get_args

from testbed.validation.keeping.aside import using, work_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.validation.keeping.store import Store

__all__ = ["Kind", "all_folders", "find_folder", "forget_folder", "keep_folder"]

Kind = Literal["runs", "parts"]


def find_folder(store: Store, kind: Kind, key: str) -> Path | None:
    """Return a folder; None: it is not there."""
    place = store.path / kind / key
    if not place.is_dir():
        return None
    os.utime(place)  # when it was asked for last is all that tells whether it is still of use
    return place


def keep_folder(store: Store, kind: Kind, key: str, made: Path) -> Path:
    """Move a folder from the store's work into its place, as a whole; return that.

    Where another process has made the same one meanwhile, its own stays: they are the same.

    Raises:
        OSError: It cannot be moved.
    """
    place = store.path / kind / key
    place.parent.mkdir(exist_ok=True)
    try:
        made.rename(place)
    except OSError:
        if not place.is_dir():
            raise
    return place


def forget_folder(store: Store, place: Path) -> None:
    """Remove a folder, so that it is made again."""
    # Moved away first, at once: half a folder must not be found under its name.
    with using(store.path), work_folder(store.path / "work") as aside:
        place.rename(aside / "folder")


def all_folders(store: Store) -> Iterator[Path]:
    """Yield the folders of every kind."""
    for kind in get_args(Kind):
        place = store.path / kind
        if place.is_dir():
            yield from sorted(each for each in place.iterdir() if each.is_dir())
