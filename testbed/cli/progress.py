"""Progress of long work, on stderr."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, TextIO

from testbed.cli.fitting import fitted
from testbed.plain_text import one_line, printable, printable_bytes
from testbed.records.byte_stream import watching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.messages import Message

__all__ = ["Progress", "note", "reading_progress", "say", "show"]

_SECONDS_BETWEEN_LINES = 2.0  # where there is no terminal to rewrite a line on; a log of a long run stays short


def say(text: str) -> None:
    """A line on stderr; control characters in it are escaped."""
    print(printable(text), file=sys.stderr)


def note(sentence: str) -> None:
    """A line on stderr that tells what a reader has to know all the same."""
    say(f"testbed: note: {sentence}")


def show(result: object, *, file: TextIO | None = None) -> None:
    """A result on stdout, or on another stream; control characters in it are escaped, tables fit a terminal."""
    text = printable(str(result))
    stream = sys.stdout if file is None else file
    print(fitted(text, shutil.get_terminal_size().columns) if stream.isatty() else text, file=stream)


@contextlib.contextmanager
def reading_progress() -> Iterator[None]:
    """Say how far reading got, every two seconds that it takes."""
    said = time.monotonic()

    def watch(name: str, size: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= _SECONDS_BETWEEN_LINES:
            said = now
            say(f"testbed: reading {name}: {size / 1e6:.0f} MB")

    with watching(watch):
        yield


class Progress:
    """One line on a terminal, rewritten; a line now and then elsewhere.

    A run goes on where nobody can hear of it: what a command prints is kept in the run directory, too.

    Attributes:
        lost: Why not all that the command printed could be passed on; None: it was.

    Args:
        transfers: How many there will be.
        output: Where what a command prints on its standard output goes.
    """

    def __init__(self, transfers: int, output: TextIO = sys.stdout) -> None:
        self.lost: str | None = None
        self._streams: dict[str, TextIO | None] = {"stdout": output, "stderr": sys.stderr, "terminal": sys.stdout}
        self._has_terminal = False
        self._transfers = transfers
        self._done = 0
        self._now = ""
        self._began = time.monotonic()
        self._said = 0.0
        self._is_terminal = sys.stderr.isatty()
        self._is_shown = False

    def show(self, message: Message) -> None:
        """Show a message of the guest."""
        wall = time.monotonic() - self._began
        if message["kind"] == "output":
            self._has_terminal = message["stream"] == "terminal"
            self._pass_on(message["stream"], message["data"], is_asked_for=self._has_terminal)
        elif self._has_terminal:
            return  # the command's screen is not written over
        elif message["kind"] == "progress" or message["kind"] == "stall":
            self._write(f"[{wall:5.1f} s] {message['what']}", wall)
        elif message["kind"] == "transfer":
            self._done += message["state"] == "ends"
            if message["state"] == "begins":
                self._now = message["transfer"]
            self._say_how_far(message["t"], wall)
        elif message["kind"] == "alive":
            self._say_how_far(message["t"], wall)

    def _say_how_far(self, t: float, wall: float) -> None:
        if self._is_terminal or wall - self._said >= _SECONDS_BETWEEN_LINES:
            done = f"{self._done}/{self._transfers} transfers done, now {self._now}"
            self._write(f"[{wall:5.1f} s] emulated {t:6.1f} s, {done}", wall)

    def _pass_on(self, name: str, data: bytes, *, is_asked_for: bool) -> None:
        """What a command prints: as it is into a file or a pipe, without control sequences onto a terminal.

        A user who gave the command this terminal asked for them.
        """
        stream = self._streams[name]
        if stream is None:
            return
        try:
            self.clear()
            stream.flush()
            stream.buffer.write(printable_bytes(data) if stream.isatty() and not is_asked_for else data)
            stream.flush()
        except OSError as error:
            self._streams[name] = None
            self.lost = f"{name}: {error.strerror}; all that the command printed is in the run directory"
            with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
                os.dup2(nowhere.fileno(), stream.fileno())  # Python would try again at its end

    def _write(self, text: str, wall: float) -> None:
        self._said = wall
        if self._is_terminal:
            print(f"\r\033[K{one_line(text)[:110]}", end="", file=sys.stderr, flush=True)
            self._is_shown = True
        else:
            with contextlib.suppress(OSError):
                say(text)

    def clear(self) -> None:
        """Leave the terminal as it was; what a command has printed on the last line stays there."""
        if self._is_shown:
            self._is_shown = False
            print("\r\033[K", end="", file=sys.stderr, flush=True)
