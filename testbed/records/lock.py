"""One process at a time in a folder. The lock is on the folder itself: nothing is left behind, whoever dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["locked", "locked_at_once"]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process has the folder's lock, and have it.

    Raises:
        OSError: The folder cannot be opened.
    """
    with _lock(folder, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def locked_at_once(folder: Path, otherwise: str) -> Iterator[None]:
    """Have the folder's lock, or say why not.

    Args:
        folder: Any folder.
        otherwise: What to tell where another process has it.

    Raises:
        InputError: Another process has it.
        OSError: The folder cannot be opened.
    """
    try:
        with _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield
    except BlockingIOError as error:
        raise InputError(f"{folder}: {otherwise}") from error


@contextlib.contextmanager
def _lock(folder: Path, operation: int) -> Iterator[None]:
    # flock(2) belongs to the open file: the kernel gives it back when the process dies, whatever it dies of.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, operation)
        yield
    finally:
        os.close(descriptor)
