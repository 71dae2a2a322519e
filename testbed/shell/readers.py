"""Where the lines of a shell come from: a terminal with a prompt, or a pipe.

GNU readline reads a line to its end and lets nobody look at anything else meanwhile, and the run has to be listened to
all the time. So the prompt is a process of its own: it is told to ask for a line, and sends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sys
import termios
from collections import deque
from typing import TYPE_CHECKING, Protocol

from testbed.engine.uml.confine import die_with_parent
from testbed.guest.child import fork
from testbed.shell.words import completions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from testbed.shell.network import Network

__all__ = ["Lines", "Prompt", "Reader", "typed_lines"]

_CHUNK = 65_536
_MOST_LINE_BYTES = 1 << 20
_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*.|O.|.)?")  # of a key that is no character, such as an arrow
_DELIMITERS = " \t\n=@/:'\"|&;<>"  # not the hyphen and the point of names


class Reader(Protocol):
    """Where lines come from."""

    @property
    def is_over(self) -> bool:
        """Whether no more lines will come, but for those that `pop` still has."""

    def sources(self) -> list[int]:
        """Return the descriptors to be watched while a line is waited for."""

    def read(self, ready: Collection[int]) -> None:
        """Read what has come on descriptors that are readable."""

    def pop(self) -> str | None:
        """Return the next line, without its end; None: there is none yet, and it has been asked for."""

    def type_ahead(self, data: bytes) -> None:
        """Take what was typed while no line was asked for."""

    def close(self) -> None:
        """Let go of everything, and leave the terminal as it was."""


class _Received:
    """Bytes that come in pieces, as lines."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def add(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend(lines)

    @property
    def is_too_long(self) -> bool:
        return len(self._rest) > _MOST_LINE_BYTES

    def end(self) -> None:
        if self._rest:
            self._lines.append(self._rest)
            self._rest = b""

    def pop(self) -> bytes | None:
        return self._lines.popleft() if self._lines else None


class Lines:
    """Lines of a pipe or a file; a last one without an end counts, too.

    Args:
        descriptor: Of it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._received = _Received()
        self.is_over = False

    def sources(self) -> list[int]:
        """Return the descriptor, until its end."""
        return [] if self.is_over else [self._descriptor]

    def read(self, ready: Collection[int]) -> None:
        """Read what has come."""
        if self._descriptor not in ready or self.is_over:
            return
        data = os.read(self._descriptor, _CHUNK)
        self._received.add(data)
        if not data or self._received.is_too_long:  # a line without end is none
            self.is_over = True
            self._received.end()

    def pop(self) -> str | None:
        """Return the next line."""
        line = self._received.pop()
        return None if line is None else line.decode("utf-8", "surrogateescape")

    def type_ahead(self, data: bytes) -> None:
        """Nobody types into a pipe."""

    def close(self) -> None:
        """Leave the descriptor as it is: it is the caller's."""


class Prompt:
    """Lines that somebody types at a prompt, with what Tab completes.

    Args:
        text: The prompt.
        network: Whose names are completed.
        terminal: The descriptor of what is typed; its modes are put back at the end.
        ask: Asks for a line; another one in tests.
    """

    def __init__(self, text: str, network: Network, terminal: int = 0, ask: Callable[[str], str] = input) -> None:
        self._terminal = terminal
        self._modes = termios.tcgetattr(self._terminal) if os.isatty(self._terminal) else None
        self._near, far = socket.socketpair()
        self._pid = fork(lambda: _prompt(far, self._near, text, network, ask))
        far.close()
        self._received = _Received()
        self._pasted: deque[str] = deque()
        self._is_asked = False
        self._begun = ""
        self._text = text
        self.is_over = False

    def sources(self) -> list[int]:
        """Return what the process of the prompt speaks on."""
        return [] if self.is_over else [self._near.fileno()]

    def read(self, ready: Collection[int]) -> None:
        """Read what it says: a line, or nothing more."""
        if self._near.fileno() not in ready:
            return
        data = self._near.recv(_CHUNK)
        self._received.add(data)
        self.is_over = not data

    def pop(self) -> str | None:
        """Return the next line; ask for one if there is none."""
        said = self._received.pop()
        if said is not None:
            self._is_asked = False
            # What was pasted comes as one line; readline shows it so, and each of its lines is a command.
            self._pasted.extend(json.loads(said).split("\n"))
        if self._pasted:
            return self._pasted.popleft()
        if not self._is_asked and not self.is_over:
            self._is_asked = True
            with contextlib.suppress(OSError):  # it has ended: that is read next
                self._near.sendall(json.dumps(self._begun).encode() + b"\n")
                self._begun = ""
        return None

    def type_ahead(self, data: bytes) -> None:
        """Take what was typed while a program ran: whole lines are carried out, the rest stands at the prompt."""
        lines, self._begun, is_over = typed_lines(self._begun.encode() + data)
        for line in lines:
            self._pasted.append(line)
            sys.stdout.write(f"{self._text}{line}\n")
        sys.stdout.flush()
        self.is_over = self.is_over or is_over

    def close(self) -> None:
        """End the process of the prompt, which may be in the middle of a line."""
        self._near.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        if self._modes is not None:
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._modes)


def _prompt(far: socket.socket, near: socket.socket, text: str, network: Network, ask: Callable[[str], str]) -> int:
    """The process of the prompt: ask for a line whenever it is told to, and send it; end where there are no more."""
    # Held open here, the parent's end would never be seen to close.
    near.close()
    die_with_parent()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _complete(network)
    orders = far.makefile("rb")
    while True:
        try:
            order = orders.readline()
            if not order:
                return 0
            line = _ask(text, ask, json.loads(order))
            if line is None:
                return 0
            far.sendall(json.dumps(line).encode() + b"\n")
        except KeyboardInterrupt:  # meant for a command, before or after a line
            continue


def _ask(text: str, ask: Callable[[str], str], begun: str) -> str | None:
    """Return a line; None: Ctrl-D. Ctrl-C throws what was typed away.

    Args:
        text: The prompt.
        ask: Asks for a line.
        begun: Stands there already.
    """
    while True:
        _begin_with(begun)
        begun = ""
        try:
            return ask(text)
        except KeyboardInterrupt:
            sys.stdout.write("\n")
        except EOFError:
            sys.stdout.write("\n")
            return None


def typed_lines(data: bytes) -> tuple[list[str], str, bool]:
    """Return whole lines among keys, what was begun of the next one, and whether Ctrl-D ends them."""
    text = _SEQUENCE.sub("", data.decode("utf-8", "ignore"))
    # Ctrl-C throws away what was typed before it, as the terminal would.
    text = text[text.rfind("\x03") + 1 :]
    lines, begun = list[str](), ""
    for key in text:
        if key in "\r\n":
            lines.append(begun)
            begun = ""
        elif key in "\x08\x7f":
            begun = begun[:-1]
        elif key in "\x04\0" and not begun:  # a terminal that reads line by line keeps a Ctrl-D as a zero
            return lines, "", True
        elif key.isprintable():
            begun += key
    return lines, begun, False


def _begin_with(begun: str) -> None:
    """Let the next line begin with what was typed already."""
    try:
        import readline  # noqa: PLC0415 - as below
    except ImportError:
        return
    readline.set_startup_hook(lambda: readline.insert_text(begun))


def _complete(network: Network) -> None:
    """Let Tab complete names, where this Python has readline."""
    try:
        import readline  # noqa: PLC0415 - nothing else here needs it, and a Python may be without it
    except ImportError:
        return

    def complete(text: str, state: int) -> str | None:
        found = completions(readline.get_line_buffer()[: readline.get_begidx()], text, network)
        if state >= len(found):
            return None
        return f"{found[state]} " if len(found) == 1 else found[state]

    readline.set_completer(complete)
    readline.set_completer_delims(_DELIMITERS)
    # the second is how libedit calls it, which some systems have in its place
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")
