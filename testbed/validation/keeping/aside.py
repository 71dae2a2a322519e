"""Folders for work that is going on, in a place that several processes share.

Each is locked by who works in it. The kernel gives a lock back when its owner dies, so a folder that nobody has locked
is of a process that was killed, and can go.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from typing import TYPE_CHECKING

from testbed.errors import RecordError
from testbed.records.lock import locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["remove_abandoned", "using", "work_folder"]


@contextlib.contextmanager
def using(store: Path) -> Iterator[None]:
    """Tell of a store that cannot be written as of what its user gave.

    Raises:
        RecordError: Something in the block could not be written there.
    """
    try:
        yield
    except OSError as error:
        raise RecordError(f"cannot use the store {store}: {error.strerror}; choose another with --store") from error


@contextlib.contextmanager
def work_folder(place: Path) -> Iterator[Path]:
    """Give a new folder in a store's place for work. It is removed at the end, unless it was moved elsewhere.

    Raises:
        RecordError: There cannot be one.
    """
    while True:
        # Not by tempfile, whose folders are their owner's alone: what is moved from here may be for others to read.
        folder = place / f"tmp{secrets.token_hex(8)}"
        with using(place.parent):
            folder.mkdir()
        with contextlib.ExitStack() as lock:
            # Between its making and its locking another process may have taken it for abandoned.
            with contextlib.suppress(FileNotFoundError):
                lock.enter_context(locked(folder))
            if not folder.exists():
                continue
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


def remove_abandoned(place: Path) -> None:
    """Remove the folders in a place whose owners are gone."""
    for folder in place.iterdir():
        # What cannot be opened is no folder, or was removed meanwhile; what is busy has an owner.
        with contextlib.suppress(OSError), locked(folder, when_busy=_leave):
            shutil.rmtree(folder, ignore_errors=True)


def _leave() -> None:
    raise BlockingIOError
