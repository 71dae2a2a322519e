"""When background traffic goes on, and the processes that make it.

Each entry has a process of its own, which holds the sockets of both of its hosts. It is told what happens by single
bytes over a pipe: the agent says when the measurements begin and end, and clients say when a measurement that it
stands beside does.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testbed.guest.child import Child
from testbed.guest.stage import IPV4
from testbed.records.background import background_id
from testbed.records.jsonl import LineWriter
from testbed.traffic.background_flow import Loop
from testbed.traffic.connection import family_of
from testbed.traffic.datagram_flow import DatagramFlow, flow_of
from testbed.traffic.log import TransferLog
from testbed.traffic.stream_flow import StreamFlow, open_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from testbed.guest.child import Lifetime
    from testbed.guest.network.node import NamespaceNode
    from testbed.guest.stage import Stage
    from testbed.records.background import BackgroundPlan
    from testbed.traffic.background_flow import Ends, Flow

__all__ = ["Background", "Cues", "Entry", "NodeEnds"]

MEASUREMENTS_BEGIN, MEASUREMENTS_END, BEGINS, ENDS = b"m", b"e", b"+", b"-"
_LAST_PACKETS_S = 1.0  # what is under way at the end arrives, as the agent waits for it at the end of a run
_LARGEST_DATAGRAM = 65_535
_NS_PER_S = 1e9


@dataclass(slots=True)
class Cues:
    """By which a client tells background traffic of its measurements.

    Attributes:
        pipes: Transfer to the descriptors of the entries that stand beside it.
        lead_s: Transfer to how long before it they begin.
    """

    pipes: dict[str, list[int]] = field(default_factory=dict)
    lead_s: dict[str, float] = field(default_factory=dict)

    def add(self, entry: BackgroundPlan, descriptor: int) -> None:
        """Take note of an entry."""
        for transfer in entry.get("beside", []):
            self.pipes.setdefault(transfer, []).append(descriptor)
            self.lead_s[transfer] = max(self.lead_s.get(transfer, 0.0), entry.get("lead_s", 0.0))

    def begin(self, transfers: Iterable[str]) -> None:
        """Transfers are about to begin at once: start what stands beside them, and give it the time that it wants."""
        lead_s = 0.0
        for transfer in transfers:
            self._say(transfer, BEGINS)
            lead_s = max(lead_s, self.lead_s.get(transfer, 0.0))
        if lead_s:
            time.sleep(lead_s)

    def end(self, transfer: str) -> None:
        """It is over."""
        self._say(transfer, ENDS)

    def _say(self, transfer: str, what: bytes) -> None:
        for descriptor in self.pipes.get(transfer, []):
            os.write(descriptor, what)


@dataclass(frozen=True, slots=True)
class NodeEnds:
    """The two hosts of an entry, in namespaces of their own."""

    opener: NamespaceNode
    other: NamespaceNode
    addresses: tuple[str, str]

    def open(self, kind: socket.SocketKind, *, at_opener: bool) -> socket.socket:
        """Return a socket. It stays in the namespace in which it was made."""
        with (self.opener if at_opener else self.other).namespace.entered():
            return socket.socket(family_of(self.addresses[0]), kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)

    def address(self, *, of_opener: bool) -> str:
        """Return the address of one of them."""
        return self.addresses[0 if of_opener else 1]


class Entry:
    """One entry at work.

    Args:
        plan: What it is.
        ends: Its hosts.
        writer: Of measurements.jsonl.
        start_ns: Start of the run.
        loop: That runs it.
    """

    def __init__(self, plan: BackgroundPlan, ends: Ends, writer: LineWriter, start_ns: int, loop: Loop) -> None:
        self._plan = plan
        self._ends = ends
        self._writer = writer
        self._start_ns = start_ns
        self._loop = loop
        self._port = open_port(plan, ends)
        loop.watch(self._port.fileno(), select.POLLIN, self._come)
        self._beside = 0
        self._episodes = 0
        self._streams: list[StreamFlow] = []
        self._datagrams: dict[int, DatagramFlow] = {}
        self._instants: list[tuple[int, bytes]] = []

    def cue(self, what: bytes) -> None:
        """Act on one byte: see the constants."""
        if what == MEASUREMENTS_BEGIN and "beside" not in self._plan:
            for key, then in (("from_s", BEGINS), ("until_s", ENDS)):
                at_s: object = self._plan.get(key, 0.0 if then == BEGINS else None)
                if isinstance(at_s, float | int):
                    self._instants.append((self._start_ns + round(at_s * _NS_PER_S), then))
        elif what == BEGINS:
            self._beside += 1
            if self._beside == 1:
                self._begin()
        elif what == ENDS:
            self._beside -= 1
            if self._beside == 0:
                self._stop()
        elif what == MEASUREMENTS_END:
            self._instants.clear()
            self._beside = 0
            self._stop()

    def due_ns(self) -> int | None:
        """Return when `act` is due."""
        found = [at for at, _ in self._instants[:1]]
        found += [due for flow in self._flows() if (due := flow.due_ns()) is not None]
        return min(found, default=None)

    def act(self) -> None:
        """Do all that is due by now."""
        now = time.time_ns()
        while self._instants and self._instants[0][0] <= now:
            self.cue(self._instants.pop(0)[1])
        for flow in self._flows():
            while (due := flow.due_ns()) is not None and due <= now:
                flow.act()

    def close(self) -> None:
        """Write down what is still open as it is."""
        for flow in self._flows():
            flow.finish()
        self._loop.forget(self._port.fileno())
        self._port.close()

    def _flows(self) -> list[Flow]:
        return [*self._streams, *self._datagrams.values()]

    def _begin(self) -> None:
        self._episodes += 1
        self._streams = [each for each in self._streams if not each.is_over]
        for flow in self._datagrams.values():  # what of the last time is still under way counts no more
            flow.finish()
        self._datagrams.clear()
        for number in range(1, self._plan["flows"] + 1):
            logs = self._logs(background_id(self._plan, number, self._episodes))
            if self._plan["kind"] == "udp":
                self._datagrams[self._episodes] = DatagramFlow(self._plan, self._ends, logs, number=self._episodes)
            else:
                self._streams.append(StreamFlow(self._plan, self._ends, self._loop, logs))

    def _logs(self, own: str) -> tuple[TransferLog, TransferLog]:
        client = TransferLog(self._writer, transfer=own, side="client", start_ns=self._start_ns)
        if self._plan["direction"] == "download":
            return client, client
        return client, TransferLog(self._writer, transfer=own, side="server", start_ns=self._start_ns)

    def _stop(self) -> None:
        for flow in self._flows():
            flow.stop()

    def _come(self) -> None:
        """Take all connections or datagrams that have come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                if self._plan["kind"] == "udp":
                    datagram = self._port.recv(_LARGEST_DATAGRAM)
                    flow = self._datagrams.get(flow_of(datagram) or 0)
                    if flow is not None:
                        flow.arrived(datagram)
                    continue
                accepted, peer = self._port.accept()
                accepted.settimeout(0)
                stream = next((each for each in self._streams if each.port == peer[1] and not each.is_over), None)
                if stream is None:
                    accepted.close()
                else:
                    stream.accepted(accepted)


class Background:
    """The background traffic of a plan, from its construction on.

    Args:
        stage: Where.

    Raises:
        GuestError: An entry cannot be as it is planned.
    """

    def __init__(self, stage: Stage) -> None:
        self.cues = Cues()
        self._pipes: list[int] = []
        self.services: list[Child[None]] = []
        for entry in stage.plan.get("background", []):
            read, write = os.pipe()
            self.cues.add(entry, write)
            self._pipes.append(write)
            self.services.append(Child(f"the background traffic {entry['id']}", _body(entry, stage, read)))
            os.close(read)

    def begin(self) -> None:
        """The measurements begin."""
        for pipe in self._pipes:
            os.write(pipe, MEASUREMENTS_BEGIN)

    def end(self) -> None:
        """They are over: nothing more is sent, and what is under way arrives."""
        for pipe in self._pipes:
            os.write(pipe, MEASUREMENTS_END)
        time.sleep(_LAST_PACKETS_S)


def _body(plan: BackgroundPlan, stage: Stage, cues: int) -> Callable[[Lifetime], None]:
    other = plan["receiver"] if plan["opener"] == plan["sender"] else plan["sender"]
    ends = NodeEnds(
        stage.network[plan["opener"]],
        stage.network[other],
        (stage.address_of(plan["opener"], plan.get("ip", IPV4)), stage.address_of(other, plan.get("ip", IPV4))),
    )

    def body(lifetime: Lifetime) -> None:
        with contextlib.closing(LineWriter(stage.output / "measurements.jsonl")) as writer:
            loop = Loop()
            entry = Entry(plan, ends, writer, stage.start_ns, loop)
            is_ending = False

            def end() -> None:
                nonlocal is_ending
                is_ending = True

            def hear() -> None:
                for byte in os.read(cues, 64):
                    entry.cue(bytes([byte]))

            loop.watch(lifetime.fileno(), select.POLLIN, end)
            loop.watch(cues, select.POLLIN, hear)
            lifetime.ready()
            while not is_ending:
                loop.wait(entry.due_ns())
                entry.act()
            entry.close()

    return body
