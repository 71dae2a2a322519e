"""The two-way line to the host: one JSON object a line over a serial port that the host holds the other end of.

To the host: ``progress``, ``output`` (of a user's command), ``finished``, ``failed``. From the host: ``stop``.
"""

from __future__ import annotations

import json
import os
import termios
import tty
from typing import Any

__all__ = ["HostLine"]

_CHUNK = 4096


class HostLine:
    """The guest's end.

    Args:
        path: the serial device.
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        tty.setraw(self._descriptor, termios.TCSANOW)
        self._pending = b""

    def fileno(self) -> int:
        """For poll."""
        return self._descriptor

    def send(self, kind: str, **fields: Any) -> None:
        """Send one object."""
        data = json.dumps({"kind": kind, **fields}, separators=(",", ":")).encode() + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]

    def receive(self) -> list[dict[str, Any]]:
        """What has come, complete lines only. Call it when poll says that there is something."""
        self._pending += os.read(self._descriptor, _CHUNK)
        *lines, self._pending = self._pending.split(b"\n")
        return [json.loads(line) for line in lines if line]
