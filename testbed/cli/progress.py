"""Progress of long work, on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any

__all__ = ["Progress", "say"]

_SECONDS_BETWEEN_LINES = 2.0  # where there is no terminal to rewrite a line on


def say(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr)


class Progress:
    """One line on a terminal, rewritten; a line now and then elsewhere."""

    def __init__(self, transfers: int) -> None:
        self._transfers = transfers
        self._done = 0
        self._now = ""
        self._began = time.monotonic()
        self._said = 0.0
        self._is_terminal = sys.stderr.isatty()

    def show(self, message: dict[str, Any]) -> None:
        """Show a message of the guest."""
        wall = time.monotonic() - self._began
        if "what" in message:
            self._write(f"[{wall:5.1f} s] {message['what']}", wall)
        elif message["kind"] in {"progress", "alive"}:
            self._done += message.get("state") == "ends"
            if message.get("state") == "begins":
                self._now = message["transfer"]
            done = f"{self._done}/{self._transfers} transfers done, now {self._now}"
            if self._is_terminal or wall - self._said >= _SECONDS_BETWEEN_LINES:
                self._write(f"[{wall:5.1f} s] emulated {message['t']:6.1f} s, {done}", wall)

    def _write(self, text: str, wall: float) -> None:
        self._said = wall
        if self._is_terminal:
            print(f"\r\033[K{text[:110]}", end="", file=sys.stderr, flush=True)
        else:
            say(text)

    def clear(self) -> None:
        """Leave the terminal as it was."""
        if self._is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
