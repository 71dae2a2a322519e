"""A terminal for a user's program: what it prints is appended to a file, what the user types comes over the console."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Terminal", "take_control"]

_CHUNK = 65_536


class Terminal:
    """A pseudo-terminal, seen from the side that shows it.

    Args:
        size: Rows and columns.
        path: The file that what is shown is appended to.
    """

    def __init__(self, size: tuple[int, int], path: Path) -> None:
        self._descriptor, self.inner = os.openpty()
        os.set_blocking(self._descriptor, False)
        self.resize(*size)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def fileno(self) -> int:
        """For poll: readable when something is to be shown, or when the program has closed its side."""
        return self._descriptor

    def show(self) -> bool:
        """Append what has been printed; return whether there may be more. Call it when poll says so, and at the end."""
        try:
            data = os.read(self._descriptor, _CHUNK)
        except OSError:  # EIO: the program has closed its side; EAGAIN: nothing more for now
            return False
        os.write(self._file, data)
        return bool(data)

    def resize(self, rows: int, columns: int) -> None:
        """The window has another size; the kernel tells the program (SIGWINCH)."""
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("=4H", rows, columns, 0, 0))

    def close(self) -> None:
        """Hang up."""
        os.close(self._descriptor)
        os.close(self._file)

    def type(self, data: bytes) -> None:
        """What the user typed; a program that does not read loses what its terminal has no room for."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, data)


def take_control() -> None:
    """Make the terminal on standard input the caller's own, so that its keys become signals."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
