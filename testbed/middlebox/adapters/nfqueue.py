"""The live box: queued packets to the inspector, its events carried out, decided flows to the kernel, all of it logged.

Runs in the box's network namespace until it is told to stop. A packet's time is its arrival as the kernel has stamped
it, however long it waited for this code; captures bear the same stamp.

What a packet's events say is done in their order; the packet itself goes on after them. So a reset for the server
overtakes the packet that caused it, and arrives while its sequence number is the one that the server waits for.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netfilterqueue

from testbed.middlebox.adapters.alarm import Alarm
from testbed.middlebox.adapters.dataplane import DROP_PORTS, Dataplane
from testbed.middlebox.adapters.delays import Delays
from testbed.middlebox.adapters.ruleset import MARKS, rules
from testbed.middlebox.adapters.wires import Wires
from testbed.middlebox.events import (
    Event,
    FlowForgotten,
    FlowOpened,
    PacketDelayed,
    PacketDropped,
    PacketHeld,
    PacketInjected,
    PacketRewritten,
    ThrottlingStarted,
)
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.offload import kernel_policer
from testbed.middlebox.packet import Direction, FlowKey, Packet
from testbed.middlebox.recognise.quic import load_ciphers

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.middlebox.profile import Profile

__all__ = ["LiveBox"]

_QUEUE_LENGTH = 65_535
_ETHERNET_HEADER = 14
_ETH_P_ALL = 0x0003
_SO_TIMESTAMPNS = 35
_BUFFER_BYTES = 1 << 26  # what a full queue takes: a burst waits instead of being lost
_DIRECTION_OF_MARK = {mark: direction for direction, mark in MARKS.items()}
_NS_PER_S = 1_000_000_000
_US_PER_S = 1_000_000
_NS_PER_US = 1000


class LiveBox:
    """A middlebox on the two ports of a bridge.

    Args:
        profile: the censor, resolved for a date.
        seed: of everything that the box draws by lot.
        inside: name of the port that faces the subscriber.
        outside: name of the other one.
        log: called with the events of some packets, in order.
    """

    def __init__(
        self, profile: Profile, *, seed: int, inside: str, outside: str, log: Callable[[list[Event]], None]
    ) -> None:
        self._profile = profile
        self._inspector = Inspector(profile, seed=seed)
        self._ports = {Direction.UP: inside, Direction.DOWN: outside}
        self._dataplane = Dataplane(self._ports, profile.placement.sees)
        self._log = log
        self._unwritten: list[Event] = []
        self._keys: dict[int, FlowKey] = {}
        self._delays = Delays()
        self._now_ns = 0
        self._stopping = False
        self._police = kernel_policer(profile)
        self.logged_drops = 0

    def run(self, ready: Callable[[], None]) -> dict[str, int]:
        """Work until SIGTERM.

        Args:
            ready: called once the box inspects.

        Returns:
            Counters for the validity certificate: ``queue_dropped`` and ``user_dropped`` of the kernel's queue,
            ``logged_drops``, ``evicted``, and ``stopped_ns``: until when the log is complete. Packets that wait then
            are never sent on.
        """
        awake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)  # a poll that nothing else ends would go on after the handler
        signal.signal(signal.SIGTERM, self._stop)
        self._dataplane.set_up(rules(self._profile, self._inspector.protocols, self._ports))
        self._wires = Wires(self._ports)
        if "quic" in self._profile.trigger.recognisers:
            load_ciphers()
        alarm = Alarm()
        queue = netfilterqueue.NetfilterQueue()
        queue.bind(0, self._on_queued, max_len=_QUEUE_LENGTH, sock_len=_BUFFER_BYTES)
        drop_ports = {_tap(name): direction for direction, name in DROP_PORTS.items()}
        by_fd = {tap.fileno(): (tap, direction) for tap, direction in drop_ports.items()}
        poll = select.poll()
        for descriptor in (awake, alarm.fileno(), queue.get_fd(), *by_fd):
            poll.register(descriptor, select.POLLIN)
        ready()
        stopped_ns = 0
        is_due = False
        while not stopped_ns:
            alarm.set(_earliest(self._inspector.next_expiry_ns(), self._delays.next_ns()), has_gone_off=is_due)
            ready_fds = {descriptor for descriptor, _ in poll.poll()}
            if self._stopping:
                stopped_ns = time.time_ns()
            if stopped_ns or queue.get_fd() in ready_fds:
                queue.run(block=False)
            for descriptor, (tap, direction) in by_fd.items():
                if stopped_ns or descriptor in ready_fds:
                    self._read_dropped(tap, direction)
            is_due = alarm.fileno() in ready_fds
            if is_due:
                now_ns = time.time_ns()
                self._delays.release(now_ns)
                self._expire(now_ns)
            self._write_log()
        counters = _queue_counters() | {
            "logged_drops": self.logged_drops, "evicted": self._inspector.evicted, "stopped_ns": stopped_ns,
        }  # fmt: skip
        queue.unbind()
        alarm.close()
        return counters

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _on_queued(self, queued: Any) -> None:
        direction = _DIRECTION_OF_MARK[queued.get_mark()]
        self._wires.learn(direction)
        packet = Packet.parse(queued.get_payload(), direction)
        now_ns = self._arrival_ns(queued)
        is_kept, departure_ns = False, now_ns
        for event in self._inspector.inspect(packet, now_ns):
            self._note(event, packet)
            if isinstance(event, PacketDropped | PacketHeld):
                is_kept = True
            elif isinstance(event, PacketDelayed):
                departure_ns = now_ns + event.delay_ns
            elif isinstance(event, PacketRewritten):
                queued.set_payload(event.data)
            elif isinstance(event, PacketInjected):
                self._wires.send(event.direction, event.data)
        if is_kept:
            queued.drop()
        elif departure_ns > now_ns and departure_ns > time.time_ns():
            self._delays.add(queued, departure_ns)
        else:
            queued.accept()
        self._settle(packet.key)

    def _arrival_ns(self, queued: Any) -> int:
        """When the kernel got the packet. Both ports have one clock, and the queue its order."""
        stamp_ns = round(queued.get_timestamp() * _US_PER_S) * _NS_PER_US
        self._now_ns = max(self._now_ns, stamp_ns)
        return self._now_ns

    def _note(self, event: Event, packet: Packet) -> None:
        """Remember an event for the log, and do in the kernel what follows from it."""
        self._unwritten.append(event)
        if isinstance(event, FlowOpened):
            self._keys[event.flow] = packet.key
        elif isinstance(event, ThrottlingStarted):
            if self._police is not None:
                self._dataplane.police(
                    event.flow, self._keys[event.flow], self._police, self._profile.action.directions
                )
        elif isinstance(event, FlowForgotten):
            self._forget(event.flow)
        elif isinstance(event, PacketDropped):
            self.logged_drops += 1

    def _settle(self, key: FlowKey) -> None:
        """Leave a flow to the kernel once the box will leave it alone, and take it back if it no longer would."""
        flow = self._inspector.flow(key)
        if flow is None or self._dataplane.polices(flow):
            return
        is_left_alone = self._inspector.leaves_alone(key)
        if is_left_alone == self._dataplane.holds(flow):
            return
        if is_left_alone:
            self._dataplane.let_pass(flow, key, without_flags=self._inspector.minded_flags)
        else:
            self._dataplane.forget(flow)

    def _read_dropped(self, tap: socket.socket, direction: Direction) -> None:
        """Log what the kernel's policers sent to a drop port."""
        while True:
            try:
                frame, ancillary, _, _ = tap.recvmsg(65_535, 64)
            except BlockingIOError:
                return
            packet = Packet.parse(frame[_ETHERNET_HEADER:], direction)
            for event in self._inspector.dropped(packet, _timestamp(ancillary)):
                self._note(event, packet)

    def _expire(self, now_ns: int) -> None:
        """Forget idle flows, after asking the kernel when it last saw those that it holds."""
        for flow in self._inspector.due(now_ns):
            if self._dataplane.holds(flow):
                idle_s = self._dataplane.idle_s(flow)
                if idle_s is not None:
                    self._inspector.refresh(flow, now_ns - round(idle_s * _NS_PER_S))
        for event in self._inspector.expire(now_ns):
            self._unwritten.append(event)
            self._forget(event.flow)

    def _write_log(self) -> None:
        if self._unwritten:
            self._log(self._unwritten)
            self._unwritten = []

    def _forget(self, flow: int) -> None:
        self._dataplane.forget(flow)
        del self._keys[flow]


def _earliest(*instants_ns: int | None) -> int | None:
    return min((each for each in instants_ns if each is not None), default=None)


def _tap(name: str) -> socket.socket:
    """A socket that sees every frame on a link, with the kernel's time of it."""
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    tap.bind((name, _ETH_P_ALL))
    tap.setblocking(False)  # noqa: FBT003 - the socket module's
    return tap


def _timestamp(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("=qq", data)
            return int(seconds * _NS_PER_S + nanoseconds)
    return time.time_ns()


def _queue_counters() -> dict[str, int]:
    """What the kernel could not queue, and what it could not deliver (net/netfilter/nfnetlink_queue.c, seq_show)."""
    fields = Path("/proc/net/netfilter/nfnetlink_queue").read_text().split()
    return {"queue_dropped": int(fields[5]), "user_dropped": int(fields[6])}
