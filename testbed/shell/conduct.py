"""One shell: lines become orders to a guest that runs, and what it says is shown and written down."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.engine.prepare.command import UserCommand
from testbed.errors import InputError
from testbed.plain_text import one_line
from testbed.shell.box_log import BoxLogReader, log_lines
from testbed.shell.words import HELP, BoxLog, Exit, Nothing, Problem, Show, Start, Stop, parse_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from types import FrameType

    from testbed.engine.uml.keyboard import Keyboard
    from testbed.engine.uml.spool import Spool
    from testbed.records.messages import EndedMessage, HostMessage, Message
    from testbed.shell.network import Network
    from testbed.shell.readers import Reader
    from testbed.shell.words import Request

__all__ = ["COMMANDS", "Conduct"]

COMMANDS = "shell.jsonl"
"""The file of the run directory with the commands of a shell."""

_NO_PROGRAM = 1
_INTERRUPTED = 130
_CTRL_C = b"\x03"
_WELCOME = "the network is up: `client curl -sSo /dev/null https://NAME/`, `box log`, `help`; Ctrl-D ends the run"


@dataclass(slots=True)
class _Job:
    """A program that runs: what it is, and how often it was asked to end."""

    start: Start
    asked: int = 0


@dataclass(slots=True, kw_only=True)
class Conduct:
    """One shell, as the engine's `Operator`.

    Attributes:
        network: Where programs are started.
        reader: Where lines come from; None: there is one program, ``first``, and the shell ends with it.
        first: Started at once.
        keyboard: The user's terminal, which programs get while they run; None: they have none.
        visible: Private folders that programs may read.
        stdin: What ``first`` reads where it has no terminal; None: nothing.
        tell: Tells the user something, a line on stderr.
        show: Shows a result on stdout.
        pass_on: Takes what the guest says while it boots and ends, and what programs print.
        status: The exit status of the last command.
    """

    network: Network
    tell: Callable[[str], None]
    show: Callable[[str], None]
    pass_on: Callable[[Message], None]
    reader: Reader | None = None
    first: Start | None = None
    keyboard: Keyboard | None = None
    visible: Sequence[Path] = ()
    stdin: int | None = None
    status: int = 0
    _jobs: dict[int, _Job] = field(default_factory=dict)
    _number: int = 0
    _front: int | None = None  # the program that the next line waits for
    _is_open: bool = False
    _interrupts: int = 0
    _typed: bytes = b""  # for the program that runs
    _is_mid_line: bool = False  # what programs have printed does not end with a line
    _raw: ExitStack = field(default_factory=ExitStack)
    _previous: Callable[[int, FrameType | None], object] | int | None = None
    _spool: Spool | None = None
    _folder: Path = field(default_factory=Path)
    _log: BoxLogReader | None = None
    _ended: list[str] = field(default_factory=list)  # to be told at the next prompt

    # What the engine asks.

    @property
    def has_terminal(self) -> bool:
        """Whether programs print onto a terminal."""
        return self.keyboard is not None

    def move_in(self, spool: Spool, folder: Path) -> None:
        """Learn where orders go, and where the box's log will be."""
        self._spool, self._folder = spool, folder
        self._log = BoxLogReader(spool.output / "truth.jsonl")
        if self.stdin is not None:
            self.pass_on({"kind": "progress", "what": "reading the shell's input", "t": 0.0})
            spool.put_input(self.stdin)

    def sources(self) -> Sequence[int]:
        """Return what is to be watched: the keys of a program that runs, or else where lines come from."""
        if not self._is_open:
            return ()
        if self._front is not None:
            return () if self.keyboard is None else self.keyboard.sources()
        return () if self.reader is None else self.reader.sources()

    def orders(self, ready: Collection[int]) -> Iterator[HostMessage]:
        """Yield what the guest is to be told."""
        if not self._is_open:
            return
        # Before anything else: what is typed or read next is not for the program that the interrupt is meant for.
        yield from self._interrupted()
        if self._front is not None:
            yield from self._keys(ready)
            return
        if self.reader is None:
            start, self.first = self.first, None
            yield from self._leave() if start is None else self._start(start)
            return
        self.reader.read(ready)
        while self._is_open and self._front is None:
            self._tell_ended()
            line = self.reader.pop()
            if line is not None:
                yield from self._carry_out(parse_line(line, self.network))
            elif self.reader.is_over:
                yield from self._leave()
            else:
                return

    def hear(self, message: Message) -> None:
        """Take what the guest says."""
        if message["kind"] == "open":
            self._open()
        elif message["kind"] == "ended":
            self._has_ended(message)
        elif message["kind"] in {"output", "stall"} or (message["kind"] == "progress" and not self._is_open):
            self.pass_on(message)
        if message["kind"] == "output":
            self._is_mid_line = not message["data"].endswith(b"\n")

    def move_out(self) -> None:
        """Let go of everything, whatever state the shell is in, and leave the terminal as it was."""
        self._shut()
        # Terminal modes in the reverse order of their changes: a program's, then the prompt's.
        self._raw.close()
        if self.reader is not None:
            self.reader.close()
            self.reader = None
        if self._log is not None:
            self._log.close()
            self._log = None

    # Beginning and end

    def _open(self) -> None:
        self._is_open = True
        self._previous = signal.signal(signal.SIGINT, self._note_interrupt)
        if self.keyboard is not None and self.reader is not None:
            self.tell(_WELCOME)

    def _shut(self) -> None:
        self._is_open = False
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _leave(self) -> Iterator[HostMessage]:
        if not self._is_open:
            return
        for number, job in self._jobs.items():
            self.tell(f"[{number}] ends with the shell: {one_line(job.start.text)}")
        self._shut()
        yield {"kind": "leave"}

    # Lines

    def _carry_out(self, request: Request) -> Iterator[HostMessage]:
        if not self._is_open:
            return
        match request:
            case Nothing():
                return
            case Problem():
                self.status = request.status
                self.tell(f"shell: {request.about}")
            case Show():
                self.status = 0
                self.show(self._text(request.what))
            case BoxLog():
                self._show_log(request)
            case Start():
                yield from self._start(request)
            case Stop():
                yield from self._stop(request.number)
            case Exit():
                self.status = self.status if request.status is None else request.status
                yield from self._leave()

    def _text(self, what: str) -> str:
        if what == "nodes":
            return self.network.node_table()
        if what == "links":
            return self.network.link_table()
        if what == "jobs":
            jobs = [f"[{number}] {one_line(job.start.text)}" for number, job in self._jobs.items()]
            return "\n".join(jobs) or "nothing runs beside"
        return HELP

    def _show_log(self, request: BoxLog) -> None:
        if self._log is None or not set(request.boxes) & set(self.network.boxes):
            self.status = _NO_PROGRAM
            self.tell(f"shell: no box stands at {', '.join(request.boxes)}: it is a cable, and sees nothing")
            return
        self.status = 0
        self._log.read()
        lines = log_lines(self._log.records, request.boxes, most=request.most)
        self.show("\n".join(lines) if lines else "the boxes have seen nothing yet")
        if self._log.unread:
            self.tell(f"shell: {self._log.unread} lines of the log could not be read and are left out")

    # Programs

    def _start(self, start: Start) -> Iterator[HostMessage]:
        if self._spool is None:
            return
        keyboard = None if start.is_beside else self.keyboard
        words = [word.strip("\"'") for word in start.text.split()[1:]]
        command = UserCommand(list(start.argv), keyboard=keyboard, visible=self.visible, words=words)
        try:
            order = command.order(self._folder)
        except InputError as error:
            self.status = 127
            self.tell(f"shell: {error}")
            return
        # The order is there before the guest hears of it.
        self._number += 1
        self._spool.put_order(self._number, order)
        self._jobs[self._number] = _Job(start)
        if start.is_beside:
            self.status = 0
            self.tell(f"[{self._number}] runs beside")
        else:
            self._front, self._interrupts, self._typed = self._number, 0, b""
            if keyboard is not None:
                self._raw.enter_context(keyboard.raw())
        yield {"kind": "start", "number": self._number, "node": start.node}

    def _stop(self, number: int) -> Iterator[HostMessage]:
        job = self._jobs.get(number)
        if job is None:
            self.status = _NO_PROGRAM
            self.tell(f"shell: nothing runs beside under number {number} (jobs lists what does)")
            return
        self.status = 0
        # A program may have a reason to end in its own time; who asks twice does not want to wait for it.
        job.asked += 1
        end = signal.SIGTERM if job.asked == 1 else signal.SIGKILL
        yield {"kind": "signal", "number": number, "signal": end}

    def _has_ended(self, message: EndedMessage) -> None:
        job = self._jobs.pop(message["number"], None)
        if job is None:
            return  # a number that nobody gave: there is nothing to say of it
        if message["problem"]:
            self.tell(f"shell: {message['problem']}")
        if message["number"] == self._front:
            self._front = None
            self._raw.close()
            if self.keyboard is not None and self._is_mid_line:  # the prompt begins on a line of its own
                self.show("")
            self._is_mid_line = False
            if self.reader is not None and self.keyboard is not None:
                # What the program has not read, and what never got to it.
                self.reader.type_ahead(bytes.fromhex(message["unread"]) + self._typed[message["taken"] :])
            self.status = message["status"]
        elif self._is_open:
            self._ended.append(f"[{message['number']}] ended with status {message['status']}: {job.start.text}")
        record = {
            "number": message["number"], "node": job.start.node, "command": job.start.text,
            "beside": job.start.is_beside, "began_s": message["began_s"], "ended_s": message["t"],
            "status": message["status"],
        }  # fmt: skip
        with (self._folder / COMMANDS).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(record) + "\n")

    def _tell_ended(self) -> None:
        for text in self._ended:
            self.tell(one_line(text))
        self._ended.clear()

    # Keys and interrupts

    def _keys(self, ready: Collection[int]) -> Iterator[HostMessage]:
        if self.keyboard is None or self._front is None:
            return
        try:
            for order in self.keyboard.orders(ready):
                if order["kind"] == "typed":
                    self._typed += bytes.fromhex(order["data"])
                yield order
        except KeyboardInterrupt:  # the key that leaves: here it leaves the program, and not the shell
            yield {"kind": "signal", "number": self._front, "signal": signal.SIGKILL}

    def _note_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupts += 1

    def _interrupted(self) -> Iterator[HostMessage]:
        """Pass an interrupt on to the program that runs; where none does, the shell ends, unless it has a prompt.

        Raises:
            KeyboardInterrupt: A second one, to a program that does not listen.
        """
        if not self._interrupts:
            return
        count, self._interrupts = self._interrupts, 0
        if self._front is None:
            if self.keyboard is None:
                self.status = _INTERRUPTED
                yield from self._leave()
            return
        if self.keyboard is not None:
            yield {"kind": "typed", "data": _CTRL_C.hex()}
            return
        job = self._jobs[self._front]
        job.asked += count
        if job.asked > 1:
            raise KeyboardInterrupt(signal.SIGINT)
        yield {"kind": "signal", "number": self._front, "signal": signal.SIGINT}
