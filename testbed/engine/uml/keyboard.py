"""The user's terminal while a command in the guest has it: raw, so that every key gets there."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
import tty
from typing import TYPE_CHECKING

from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from testbed.records.messages import HostMessage

__all__ = ["Keyboard"]

_CHUNK = 1024
_LEAVE = b"\x1d"  # Ctrl-], as in telnet: Ctrl-C is the program's


class Keyboard:
    """A terminal that is read key by key.

    Args:
        descriptor: Of the terminal.

    Raises:
        InputError: It is none.
    """

    def __init__(self, descriptor: int) -> None:
        if not os.isatty(descriptor):
            raise InputError("--terminal: standard input is no terminal; leave the option out, and pipe the input in")
        self._descriptor = descriptor
        self._told = self.size  # what the program's terminal is made with

    has_terminal = True

    def sources(self) -> list[int]:
        """Return the terminal's descriptor."""
        return [self._descriptor]

    def orders(self, ready: Collection[int]) -> Iterator[HostMessage]:
        """Yield what has been typed, and a new size of the window. Raises KeyboardInterrupt for the key that leaves."""
        if self.size != self._told:
            self._told = self.size
            yield {"kind": "resized", "rows": self._told[0], "columns": self._told[1]}
        if self._descriptor in ready:
            data = os.read(self._descriptor, _CHUNK)
            if _LEAVE in data or not data:  # no data: the terminal is gone
                raise KeyboardInterrupt(signal.SIGINT)
            yield {"kind": "typed", "data": data.hex()}

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        size = os.get_terminal_size(self._descriptor)
        return size.lines, size.columns

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        """Every key comes as it is, for the length of the block."""
        before = termios.tcgetattr(self._descriptor)
        tty.setraw(self._descriptor, termios.TCSADRAIN)
        try:
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)
