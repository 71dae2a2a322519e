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

__all__ = ["MOST_SHOWN_BYTES", "Terminal", "take_control"]

MOST_SHOWN_BYTES = 1 << 28
"""As of a file that a program writes itself (`testbed.engine.prepare.command`)."""

_CHUNK = 65_536
_LOCAL_MODES, _CHARACTERS = 3, 6  # in what tcgetattr returns


class Terminal:
    """A pseudo-terminal, seen from the side that shows it.

    Attributes:
        taken: How many bytes were typed.

    Args:
        size: Rows and columns.
        path: The file that what is shown is appended to.
        most_bytes: Of what is shown: a program that prints without end would fill the host's disk.
    """

    def __init__(self, size: tuple[int, int], path: Path, *, most_bytes: int = MOST_SHOWN_BYTES) -> None:
        self._room = most_bytes
        self._is_hung_up = False
        self._descriptor, self.inner = os.openpty()
        self._kept = os.dup(self.inner)  # what was typed lasts as long as somebody has the terminal open
        self.taken = 0
        os.set_blocking(self._descriptor, False)
        self.resize(*size)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def fileno(self) -> int:
        """For poll: readable when something is to be shown, or when the program has closed its side."""
        return self._descriptor

    def show(self) -> bool:
        """Append what has been printed; return whether there may be more. Call it when poll says so, and at the end.

        A program that prints more than it may is hung up on, as if its user had gone.
        """
        if self._is_hung_up:
            return False
        try:
            data = os.read(self._descriptor, _CHUNK)
        except OSError:  # EIO: the program has closed its side; EAGAIN: nothing more for now
            return False
        os.write(self._file, data)
        self._room -= len(data)
        if self._room < 0:
            os.write(self._file, b"\r\n[this program printed too much, and was hung up on]\r\n")
            self._hang_up()
        return bool(data) and not self._is_hung_up

    def unread(self) -> bytes:
        """Return what was typed and no program has read; it may be the next one's, or the prompt's."""
        # Line by line, the kernel gives a line only once it is complete; key by key, it gives all that there is.
        modes = termios.tcgetattr(self._kept)
        modes[_LOCAL_MODES] &= ~termios.ICANON
        modes[_CHARACTERS][termios.VMIN] = modes[_CHARACTERS][termios.VTIME] = 0
        termios.tcsetattr(self._kept, termios.TCSANOW, modes)
        found = b""
        while data := os.read(self._kept, _CHUNK):
            found += data
        return found

    def resize(self, rows: int, columns: int) -> None:
        """The window has another size; the kernel tells the program (SIGWINCH)."""
        if not self._is_hung_up:
            fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("=4H", rows, columns, 0, 0))

    def close(self) -> None:
        """Hang up, for good."""
        self._hang_up()
        os.close(self._kept)
        os.close(self._file)

    def _hang_up(self) -> None:
        # Once: the number of a closed descriptor may be another's by now.
        if not self._is_hung_up:
            self._is_hung_up = True
            os.close(self._descriptor)

    def type(self, data: bytes) -> None:
        """What the user typed; a program that does not read loses what its terminal has no room for."""
        self.taken += len(data)
        if not self._is_hung_up:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, data)


def take_control() -> None:
    """Make the terminal on standard input the caller's own, so that its keys become signals."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
