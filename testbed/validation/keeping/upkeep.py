"""Looking after a store: what it takes, what can go, and whether it is what was written."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.validation.keeping.folders import all_folders, forget_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from testbed.validation.keeping.store import Store

__all__ = ["Room", "Swept", "room", "sweep", "verify"]

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Room:
    """What a store takes.

    Attributes:
        cells, verdicts: How many.
        invalid: Cells that must not be scored.
        folders: Run directories that tests asked for, and parts of corpora.
        cell_bytes, verdict_bytes, folder_bytes: On the disk.
    """

    cells: int
    invalid: int
    cell_bytes: int
    verdicts: int
    verdict_bytes: int
    folders: int
    folder_bytes: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What was removed, or would have been."""

    cells: int
    verdicts: int
    freed_bytes: int
    folders: int = 0


def room(store: Store) -> Room:
    """Return what a store takes. A cell that is damaged is told by the store, and is not counted."""
    records = [record for key in store.all_keys() if (record := store.cell(key)) is not None]
    verdicts, folders = store.verdict_paths(), list(all_folders(store))
    return Room(
        len(records),
        sum(not record["valid"] for record in records),
        sum(_size(store.cell_path(key).rglob("*")) for key in store.all_keys()),
        len(verdicts),
        _size(verdicts),
        len(folders),
        sum(_size(place.rglob("*")) for place in folders),
    )


def sweep(store: Store, *, unused_days: float, dry: bool) -> Swept:
    """Remove cells and verdicts that nobody has read for a while.

    That is all there is to go by: a key holds the world that its cell was made in, and from a key nobody can tell
    whether any suite will ask for it. What was made in a world that is gone is never read again.

    Args:
        store: To be swept.
        unused_days: For how long nobody has read them.
        dry: Whether they are only counted.
    """
    before = time.time() - unused_days * _DAY_S
    cells = [key for key in store.all_keys() if _last_read(store.cell_path(key) / "cell.json") < before]
    verdicts = [path for path in store.verdict_paths() if _last_read(path) < before]
    folders = [place for place in all_folders(store) if _last_read(place) < before]
    freed = sum(_size(store.cell_path(key).rglob("*")) for key in cells) + _size(verdicts)
    freed += sum(_size(place.rglob("*")) for place in folders)
    if not dry:
        for key in cells:
            store.forget_cell(key)
        for path in verdicts:
            store.remove_verdict(path)
        for place in folders:
            forget_folder(store, place)
    return Swept(len(cells), len(verdicts), freed, len(folders))


def verify(store: Store) -> list[str]:
    """Read all that is there, and return what is damaged, a line each; it is removed, and made again on demand."""
    # The store itself says what is damaged, and removes it: whoever only looks has to see what users see.
    damaged = [f"cell {key}" for key in store.all_keys() if store.cell(key) is None]
    for path in store.verdict_paths():
        if not store.is_whole_verdict(path):
            # An observation may have many verdicts: this one alone is asked for again.
            store.remove_verdict(path)
            damaged.append(f"verdict {path.stem}")
    return damaged


def _size(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        try:
            found = path.lstat()
            total += found.st_size if stat.S_ISREG(found.st_mode) else 0
        except FileNotFoundError:
            continue  # another process removed it meanwhile
    return total


def _last_read(path: Path) -> float:
    """Return when the store read a file: it sets the time itself, for few machines keep times of access."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # half a cell: it can go
