"""Programs on any node of a run that goes on, started one by one as the host says, until no more will come.

Not for: what is typed at the prompt (testbed/shell, on the host), or a single program that the plan names
(commands.py).
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from testbed.errors import GuestError
from testbed.guest.file_view import share_scratch
from testbed.guest.surroundings import Surroundings
from testbed.guest.user_program import Program, read_order, start_program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.guest.child import Child
    from testbed.guest.console import Console
    from testbed.guest.stage import Stage
    from testbed.guest.terminal import Terminal
    from testbed.guest.watch import Watch
    from testbed.records.messages import HostMessage, StartMessage

__all__ = ["Shell"]


class Shell:
    """The programs of a shell.

    Attributes:
        services: Resolvers of the nodes that programs ran on.
        began_s: When programs could be started, seconds since the start of the run.
        status: Exit status of the program that ended last; None: none has.

    Args:
        stage: Where they run.
        authority: The certificate authority of the origins, PEM, which they are to trust.
        console: To the host.
    """

    def __init__(self, stage: Stage, authority: Path, console: Console) -> None:
        self.services: list[Child[None]] = []
        self.began_s = 0.0
        self.status: int | None = None
        self._stage = stage
        self._console = console
        self._surroundings = Surroundings(stage, authority, has_nodes=True)
        self._etc: dict[str, Path] = {}
        self._programs: dict[int, Program] = {}
        self._began: dict[int, float] = {}
        self._shown: set[int] = set()  # terminals that are watched
        self._end, self._leaving = os.pipe()

    def open(self, watch: Watch) -> int:
        """Tell the host that programs can be started; return a descriptor that is readable once no more will come.

        Args:
            watch: Told of the programs.
        """
        # What one command leaves in /tmp is there for the next, which it would not be in a mount of its own.
        share_scratch(is_contained=self._stage.is_contained)
        self._watch = watch
        self.began_s = self._stage.now_s()
        self._console.send({"kind": "open", "t": self.began_s})
        return self._end

    def obey(self, order: HostMessage) -> None:
        """Do what the host says.

        Raises:
            GuestError: A resolver did not start.
        """
        if order["kind"] == "start":
            self._start(order)
        elif order["kind"] == "signal":
            if order["number"] in self._programs:  # it may have ended meanwhile
                self._programs[order["number"]].send(order["signal"])
        elif order["kind"] == "leave":
            self._leave()
        else:
            for terminal in self._terminals():
                if order["kind"] == "typed":
                    terminal.type(bytes.fromhex(order["data"]))
                elif order["kind"] == "resized":
                    terminal.resize(order["rows"], order["columns"])

    def _terminals(self) -> list[Terminal]:
        """Return the terminal that has the user's keys: at most one program has one."""
        return [each.terminal for each in self._programs.values() if each.terminal is not None]

    def _start(self, order: StartMessage) -> None:
        number, stage = order["number"], self._stage
        node = stage.network[order["node"]]
        # Few of a network's nodes ever run a program: a resolver on each would cost more than the shell.
        if node.name not in self._etc:
            service = self._surroundings.resolver(node)
            self.services.append(service)
            self._watch.add(service.fileno(), _early_end_of(service))
            self._etc[node.name] = self._surroundings.etc(node, stage.work / "etc" / node.name)
        program = start_program(
            read_order(stage.output / "orders" / f"{number}.json"), node, stage.output, self._etc[node.name],
            is_signalled=True, is_contained=stage.is_contained,
        )  # fmt: skip
        self._programs[number], self._began[number] = program, stage.now_s()
        # The terminal comes first: what it shows last is shown before the program's end is told.
        if program.terminal is not None:
            self._show(program.terminal)
        self._watch.add(program.fileno(), lambda: self._has_ended(number))

    def _show(self, terminal: Terminal) -> None:
        descriptor = terminal.fileno()

        def printed() -> None:
            if not terminal.show():
                self._forget(descriptor)

        self._shown.add(descriptor)
        self._watch.add(descriptor, printed)

    def _forget(self, descriptor: int) -> None:
        """Watch a terminal no longer; its descriptor may soon be another's."""
        if descriptor in self._shown:
            self._shown.remove(descriptor)
            self._watch.remove(descriptor)

    def _has_ended(self, number: int) -> None:
        program = self._programs.pop(number)
        self._watch.remove(program.fileno())
        problem = ""
        try:
            self.status = program.status()
        except GuestError as error:
            self.status, problem = _CANNOT_BE_RUN, str(error)
        unread, taken = b"", 0
        if program.terminal is not None:
            unread, taken = program.terminal.unread(), program.terminal.taken
            self._forget(program.terminal.fileno())
            program.terminal.close()
        self._console.send({
            "kind": "ended", "number": number, "status": self.status, "problem": problem,
            "began_s": self._began.pop(number), "t": self._stage.now_s(),
            "unread": unread.hex(), "taken": taken,
        })  # fmt: skip

    def _leave(self) -> None:
        for program in self._programs.values():
            program.send(signal.SIGKILL)
        for number in list(self._programs):
            self._has_ended(number)
        os.write(self._leaving, b".")  # closing it would not do: every process that was forked has it open, too


_CANNOT_BE_RUN = 127  # what a shell says of a program that is not there


def _early_end_of(service: Child[None]) -> Callable[[], None]:
    def ended() -> None:
        raise service.early_end()

    return ended
