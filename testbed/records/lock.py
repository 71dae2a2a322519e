"""One process at a time in a folder. The lock is on the folder itself: nothing is left behind, whoever dies."""

from __future__ import annotations

import contextlib
import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["locked"]


@contextlib.contextmanager
def locked(folder: Path, *, when_busy: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Wait until no other process has the folder's lock, and have it for the time of the block.

    Where the platform has no such locks (Windows), nothing is waited for: two processes can meet there.

    Args:
        folder: Any folder.
        when_busy: Called once if another process has it. What it raises ends the wait.

    Raises:
        OSError: The folder cannot be opened.
    """
    try:
        fcntl = import_module("fcntl")
    except ModuleNotFoundError:  # what is recorded can be judged all the same
        yield
        return
    # flock(2) belongs to the open file: the kernel gives it back when the process dies, whatever it dies of.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            when_busy()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
