"""The guest's end of the serial port whose other end the host holds: one JSON object a line, both ways.

What is said is in `testbed.records.messages`. The device is root's alone: a user's program cannot speak here.
"""

from __future__ import annotations

import json
import os
import termios
import tty
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from testbed.records.messages import GuestMessage, HostMessage

__all__ = ["Console"]

_CHUNK = 4096


class Console:
    """The guest's end.

    Args:
        path: The serial device.
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        tty.setraw(self._descriptor, termios.TCSANOW)  # or what comes would be echoed to the host as our own words
        self._pending = b""

    def fileno(self) -> int:
        """For poll."""
        return self._descriptor

    def send(self, message: GuestMessage) -> None:
        """Send a message, whole: the device takes what fits, and the rest after that."""
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]

    def receive(self) -> list[HostMessage]:
        """Return what has come, complete lines only. Call it when poll says that there is something."""
        self._pending += os.read(self._descriptor, _CHUNK)
        *lines, self._pending = self._pending.split(b"\n")
        return [cast("HostMessage", json.loads(line)) for line in lines if line]  # the host is trusted
