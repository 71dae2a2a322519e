"""The live box: queued packets to the inspector, verdicts back, decided flows to the kernel, every event to the log.

Runs in the box's network namespace until it is told to stop. Time is the guest's clock at the packet, which in virtual
time stands still while this code runs.
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

from testbed.errors import CertificateError
from testbed.middlebox.dataplane import DROP_PORTS, MARKS, Dataplane
from testbed.middlebox.events import (
    Event,
    FlowForgotten,
    FlowOpened,
    InspectionEnded,
    PacketDelayed,
    PacketDropped,
    PacketHeld,
    PacketInjected,
    PacketRewritten,
    ThrottlingStarted,
    event_name,
)
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.meters import TokenBucketSpec
from testbed.middlebox.packet import Direction, FlowKey, Packet

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.middlebox.profile import Profile

__all__ = ["LiveBox"]

_QUEUE_LENGTH = 65_535
_ETHERNET_HEADER = 14
_ETH_P_ALL = 0x0003
_SO_TIMESTAMPNS = 35
_BUFFER_BYTES = 1 << 22
_DIRECTION_OF_MARK = {mark: direction for direction, mark in MARKS.items()}
_NS_PER_S = 1_000_000_000


class LiveBox:
    """A middlebox on the two ports of a bridge.

    Args:
        profile: the censor, resolved for a date.
        seed: of everything that the box draws by lot.
        inside: name of the port that faces the subscriber.
        outside: name of the other one.
        log: called with each event, in order.
    """

    def __init__(self, profile: Profile, *, seed: int, inside: str, outside: str, log: Callable[[Event], None]) -> None:
        self._profile = profile
        self._inspector = Inspector(profile, seed=seed)
        self._dataplane = Dataplane(inside, outside)
        self._log = log
        self._keys: dict[int, FlowKey] = {}
        self._stopping = False
        action = profile.action
        self._offloads_throttling = (
            isinstance(profile.meter, TokenBucketSpec) and action.scope == "flow" and action.residual_s is None
        )
        self.logged_drops = 0

    def run(self, ready: Callable[[], None]) -> dict[str, int]:
        """Work until SIGTERM.

        Args:
            ready: called once the box inspects.

        Returns:
            Counters for the validity certificate: ``queue_dropped`` and ``user_dropped`` of the kernel's queue,
            ``logged_drops``, ``evicted``.
        """
        awake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)  # a poll that nothing else ends would go on after the handler
        signal.signal(signal.SIGTERM, self._stop)
        self._dataplane.set_up()
        queue = netfilterqueue.NetfilterQueue()
        queue.bind(0, self._on_queued, max_len=_QUEUE_LENGTH, sock_len=_BUFFER_BYTES)
        drop_ports = {_tap(name): direction for direction, name in DROP_PORTS.items()}
        poll = select.poll()
        poll.register(awake, select.POLLIN)
        poll.register(queue.get_fd(), select.POLLIN)
        by_fd = {tap.fileno(): (tap, direction) for tap, direction in drop_ports.items()}
        for descriptor in by_fd:
            poll.register(descriptor, select.POLLIN)
        ready()
        now_ns = time.time_ns()
        while not self._stopping:
            for descriptor, _ in poll.poll(self._wait_ms(now_ns)):
                if descriptor in by_fd:
                    self._read_dropped(*by_fd[descriptor])
                elif descriptor != awake:
                    queue.run(block=False)
            now_ns = time.time_ns()
            self._expire(now_ns)
        for tap, direction in by_fd.values():
            self._read_dropped(tap, direction)
        counters = _queue_counters() | {"logged_drops": self.logged_drops, "evicted": self._inspector.evicted}
        queue.unbind()
        return counters

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _wait_ms(self, now_ns: int) -> int | None:
        expiry = self._inspector.next_expiry_ns()
        if expiry is None:
            return None
        return max(0, -(-(expiry - now_ns) // 1_000_000))

    def _on_queued(self, queued: Any) -> None:
        direction = _DIRECTION_OF_MARK[queued.get_mark()]
        packet = Packet.parse(queued.get_payload(), direction)
        events = self._inspector.inspect(packet, time.time_ns())
        is_dropped = False
        for event in events:
            self._handle(event, packet)
            is_dropped = is_dropped or isinstance(event, PacketDropped)
        if is_dropped:
            queued.drop()
        else:
            queued.accept()

    def _handle(self, event: Event, packet: Packet) -> None:
        """Log an event and do in the kernel what follows from it."""
        self._log(event)
        if isinstance(event, PacketHeld | PacketDelayed | PacketInjected | PacketRewritten):
            raise CertificateError(f"{event_name(event)}: the live box can pass and drop packets, nothing else")
        if isinstance(event, FlowOpened):
            self._keys[event.flow] = packet.key
        elif isinstance(event, ThrottlingStarted):
            if self._offloads_throttling and isinstance(self._profile.meter, TokenBucketSpec):
                self._dataplane.police(
                    event.flow, self._keys[event.flow], self._profile.meter, self._profile.action.directions
                )
        elif isinstance(event, InspectionEnded):
            if event.reason != "matched":
                self._dataplane.let_pass(event.flow, self._keys[event.flow])
        elif isinstance(event, FlowForgotten):
            self._dataplane.forget(event.flow)
            del self._keys[event.flow]
        elif isinstance(event, PacketDropped):
            self.logged_drops += 1

    def _read_dropped(self, tap: socket.socket, direction: Direction) -> None:
        """Log what the kernel's policers sent to a drop port."""
        while True:
            try:
                frame, ancillary, _, _ = tap.recvmsg(65_535, 64)
            except BlockingIOError:
                return
            packet = Packet.parse(frame[_ETHERNET_HEADER:], direction)
            for event in self._inspector.dropped(packet, _timestamp(ancillary)):
                self._handle(event, packet)

    def _expire(self, now_ns: int) -> None:
        """Forget idle flows, after asking the kernel when it last saw those that it holds."""
        for flow in self._inspector.due(now_ns):
            if self._dataplane.holds(flow):
                idle_s = self._dataplane.idle_s(flow)
                if idle_s is not None:
                    self._inspector.refresh(flow, now_ns - round(idle_s * _NS_PER_S))
        for event in self._inspector.expire(now_ns):
            self._log(event)
            self._dataplane.forget(event.flow)
            del self._keys[event.flow]


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
