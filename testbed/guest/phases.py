"""A phase of a run: its lines' clients and its command side by side, and whatever else can happen meanwhile."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, cast

from testbed.errors import GuestError
from testbed.guest.child import Task
from testbed.guest.line_client import LineClient
from testbed.guest.stage import IPV4, IPV6
from testbed.guest.watch import Watch
from testbed.middlebox.adapters.alarm import Alarm
from testbed.traffic.log import FOR_EVER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.guest.background import Cues
    from testbed.guest.child import Service
    from testbed.guest.commands import UserCommands
    from testbed.guest.console import Console
    from testbed.guest.schedule import Schedule
    from testbed.guest.shell import Shell
    from testbed.guest.stage import Stage
    from testbed.guest.terminal import Terminal
    from testbed.guest.timed_event import Effects
    from testbed.records.messages import TransferMessage
    from testbed.records.plan import CommandPlan, LinePlan, Phase, PlanDocument

__all__ = ["Phases", "is_long"]

_HEARTBEAT_MS = 1000  # of the guest's time
# In virtual time idle hours pass in no time but that of the heartbeats, so these get rarer where nothing happens for
# long, in runs that are planned for six hours or more: a day of a calendar is one. Not in others: every waking up takes
# some of the guest's time, and is a part of the bytes that a shorter run has always had.
_LONG_RUN_S = 21_600
_WATCHED_S = 0.1  # byte counts, while somebody may watch
_STEADY_BEATS = 30
_LONGEST_MS = 3_600_000
_DOUBLINGS = 12  # more than lead from the heartbeat to the longest
_CHUNK = 65_536


class Pipe(NamedTuple):
    """The two ends of a pipe, as descriptors."""

    read: int
    write: int


def is_long(plan: PlanDocument) -> bool:
    """Whether a run is planned for six hours or more, in virtual time or not."""
    lines = (line for phase in plan["phases"] for line in phase["lines"])
    return any(each["at_s"] >= _LONG_RUN_S for line in lines for each in line["transfers"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Runs phases, one after the other.

    Attributes:
        stage: Where.
        console: To the host.
        schedule: The timed changes of the whole run.
        effects: By which they are carried out.
        commands: The user's program.
        authority: The certificate authority of the origins, PEM.
        services: The processes that no phase can do without, in the order in which they are watched.
        obey: Called when the host has said something.
        shell: Programs that the host names while the run goes on; None: it names none.
        cues: By which clients tell background traffic of their transfers; None: there is none.
        transfers: By which clients tell of their transfers.
    """

    stage: Stage
    console: Console
    schedule: Schedule
    effects: Effects
    commands: UserCommands
    authority: Path
    services: Callable[[], list[Service]]
    obey: Callable[[], None]
    shell: Shell | None = None
    cues: Cues | None = None
    transfers: Pipe = field(default_factory=lambda: Pipe(*os.pipe()))

    def run(self, phase: Phase) -> None:
        """Run the lines of a phase side by side; timed changes come on the run's schedule meanwhile.

        Raises:
            GuestError: A client or a service failed, or the command could not be started.
        """
        clients = {line["name"]: self._start_line(line) for line in phase["lines"]}
        if phase["command"] is not None and self.shell is None:
            self._start_command(phase["command"])
        # Services come first: if one has ended, that is why a client fails, and it is what has to be told.
        alarm, watch = Alarm(), Watch()
        for service in self.services():
            watch.add(service.fileno(), _early_end_of(service))
        watch.add(alarm.fileno(), lambda: self.schedule.carry_out_next(self.effects))
        watch.add(self.transfers.read, lambda: self._pass_on(os.read(self.transfers.read, _CHUNK)))
        watch.add(self.console.fileno(), self.obey)
        running = self._watch_ends(watch, clients)
        program = self.commands.program
        terminal = None if program is None else program.terminal
        if terminal is not None:
            _watch_terminal(watch, terminal)
        # Transfers end by themselves, so a long one may say that time passes. A command need not: its silence counts,
        # unless somebody sits before it.
        has_nobody = terminal is None and self.shell is None
        patience_ms = None if phase["command"] is not None and has_nobody else _HEARTBEAT_MS
        is_due = False
        quiet = 0
        is_patient = patience_ms is not None and is_long(self.stage.plan)
        while running:
            alarm.set(self.schedule.next_ns(), has_gone_off=is_due)
            ready = watch.wait(self._patience_ms(quiet) if is_patient else patience_ms)
            is_due = alarm.fileno() in ready
            quiet = 0 if ready else quiet + 1
            if not ready:
                self.console.send({"kind": "alive", "t": self.stage.now_s()})
        alarm.close()

    def _patience_ms(self, quiet: int) -> int:
        """Return how long to wait for something to happen, after so many waits in which nothing did."""
        more = quiet - _STEADY_BEATS
        if more <= 0 or not self.stage.plan["clock"]["is_virtual"]:
            return _HEARTBEAT_MS
        return min(_HEARTBEAT_MS << min(more, _DOUBLINGS), _LONGEST_MS)

    def _start_line(self, line: LinePlan) -> Task:
        stage, node = self.stage, self.stage.network[line["node"]]
        server = stage.plan["replay_server"]
        names = {IPV4: stage.plan["names"], **({IPV6: stage.plan["names6"]} if stage.has_ipv6 else {})}
        client = LineClient(
            address={ip: stage.address_of(line["node"], ip) for ip in names},
            names=names,
            start_ns=self.stage.start_ns,
            output=self.stage.output,
            ca=self.authority,
            replay_server=(
                {} if server is None else {ip: stage.address_of(server, ip) for ip in names},
                stage.work / "replays",
            ),
            progress=self.transfers.write,
            patience_s=FOR_EVER if stage.plan["clock"]["is_virtual"] else _WATCHED_S,
            cues=self.cues,
        )
        return Task(lambda: client.run(line["transfers"]), node.namespace)

    def _start_command(self, command: CommandPlan) -> None:
        what = f"running the command {command['argv'][0]}"
        self.console.send({"kind": "progress", "what": what, "t": self.stage.now_s()})
        self.commands.start(self.stage.network[command["node"]])

    def _watch_ends(self, watch: Watch, clients: dict[str, Task]) -> set[int]:
        """See to it that what has ended is looked at; return a set of what runs, which gets smaller."""
        running: set[int] = set()

        def add(descriptor: int, look: Callable[[], None]) -> None:
            def ended() -> None:
                watch.remove(descriptor)
                running.remove(descriptor)
                look()

            running.add(descriptor)
            watch.add(descriptor, ended)

        for name, task in clients.items():
            add(task.fileno(), _end_of(name, task))
        if self.commands.program is not None:
            add(self.commands.program.fileno(), self.commands.has_ended)
        if self.shell is not None:
            add(self.shell.open(watch), lambda: None)
        return running

    def _pass_on(self, data: bytes) -> None:
        """Tell the host what clients tell; each writes whole lines."""
        for text in data.splitlines():
            message = cast("TransferMessage", json.loads(text))
            self.console.send(message)
            if message["state"] == "ends":
                os.sync()  # what is known by now is kept whatever happens to the guest


def _watch_terminal(watch: Watch, terminal: Terminal) -> None:
    def printed() -> None:
        if not terminal.show():
            watch.remove(terminal.fileno())

    watch.add(terminal.fileno(), printed)


def _early_end_of(service: Service) -> Callable[[], None]:
    def ended() -> None:
        raise service.early_end()

    return ended


def _end_of(name: str, task: Task) -> Callable[[], None]:
    def ended() -> None:
        if code := task.status():
            raise GuestError(f"the client on line {name} ended with status {code}; guest.log says why")

    return ended
