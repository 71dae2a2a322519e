"""The live box: the sockets, the queue and the clock around `execution`.

Runs in the box's network namespace until it is told to stop. A packet's time is its arrival as the kernel has stamped
it, however long it waited for this code; captures bear the same stamp.
"""

from __future__ import annotations

import select
import socket
import struct
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.errors import GuestError, TestbedError
from testbed.middlebox.adapters.alarm import Alarm
from testbed.middlebox.adapters.dataplane import DROP_PORTS, Dataplane
from testbed.middlebox.adapters.execution import Execution
from testbed.middlebox.adapters.rehearsal import rehearse
from testbed.middlebox.adapters.ruleset import MARKS, QUEUE
from testbed.middlebox.adapters.wires import Wires
from testbed.middlebox.packet import Direction, Packet
from testbed.middlebox.recognise.quic import load_ciphers
from testbed.netlink.packet_queue import PacketQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from testbed.middlebox.events import Event
    from testbed.middlebox.profile import Profile
    from testbed.middlebox.succession import ProfileChange
    from testbed.netlink.packet_queue import QueuedPacket
    from testbed.records.certificate import BoxCounters

__all__ = ["LiveBox"]

_QUEUE_LENGTH = 65_535
_ETHERNET_HEADER = 14
_ETH_P_ALL = 0x0003
_SO_TIMESTAMPNS = 35
_BUFFER_BYTES = 1 << 26  # what a full queue takes: a burst waits instead of being lost
_DIRECTION_OF_MARK = {mark: direction for direction, mark in MARKS.items()}
_NS_PER_S = 1_000_000_000


class LiveBox:
    """A middlebox on the two ports of a bridge.

    Args:
        profile: The censor, resolved for a date; None: the box is a cable at first.
        seed: Of everything that the box draws by lot.
        inside: Name of the port that faces the subscriber.
        outside: Name of the other one.
        log: Called with the events of some packets, in order.
        changes: Of the profile, in the order of time.
    """

    def __init__(
        self,
        profile: Profile | None,
        *,
        seed: int,
        inside: str,
        outside: str,
        log: Callable[[list[Event]], None],
        changes: Sequence[ProfileChange] = (),
    ) -> None:
        self._profiles = [each for each in (profile, *(change.profile for change in changes)) if each is not None]
        self._ports = {Direction.UP: inside, Direction.DOWN: outside}
        self._dataplane = Dataplane(self._ports)
        self._wires = Wires(self._ports)
        self._execution = Execution(
            profile, seed=seed, kernel=self._dataplane, outlet=self._wires, log=log, changes=changes
        )
        self._subject: Packet | str = "while starting"

    def run(self, ready: Callable[[], None], ending: int) -> BoxCounters:
        """Work until it is to end.

        Args:
            ready: Called once the box inspects.
            ending: A descriptor that is readable once it is to end.

        Returns:
            Counters for the validity certificate: ``queue_dropped`` and ``user_dropped`` of the kernel's queue,
            ``logged_drops``, ``evicted``, and ``stopped_ns``: until when the log is complete. Packets that wait then
            are never sent on.

        Raises:
            CertificateError: The kernel has not what was asked for.
            GuestError: Anything else; the message says at which packet, and where in the code. What was logged
                before it is written.
        """
        try:
            return self._work(ready, ending)
        except TestbedError:
            raise
        except Exception as error:  # the parent must learn what ended the box, whatever it was
            raise GuestError(f"the middlebox failed {_at(self._subject)}: {_described(error)}") from error
        finally:
            self._execution.write_log()

    def _work(self, ready: Callable[[], None], ending: int) -> BoxCounters:
        execution = self._execution
        self._dataplane.set_up(execution.inspector.followed)
        # Before `ready`: the first Initial packet must not wait for a library.
        if any("quic" in profile.trigger.recognisers for profile in self._profiles):
            load_ciphers()
        rehearse(self._profiles[0] if self._profiles else None)
        alarm = Alarm()
        queue = PacketQueue(QUEUE, length=_QUEUE_LENGTH, buffer_bytes=_BUFFER_BYTES)
        drop_ports = {_tap(name): direction for direction, name in DROP_PORTS.items()}
        by_fd = {tap.fileno(): (tap, direction) for tap, direction in drop_ports.items()}
        poll = select.poll()
        for descriptor in (ending, alarm.fileno(), queue.fileno(), *by_fd):
            poll.register(descriptor, select.POLLIN)
        ready()
        stopped_ns = 0
        is_due = False
        while not stopped_ns:
            alarm.set(execution.next_ns(), has_gone_off=is_due)
            ready_fds = {descriptor for descriptor, _ in poll.poll()}
            if ending in ready_fds:
                stopped_ns = time.time_ns()
            # What arrived before the signal is still decided on: the log is complete until then.
            if stopped_ns or queue.fileno() in ready_fds:
                for queued in queue.packets():
                    self._on_queued(queued)
            for descriptor, (tap, direction) in by_fd.items():
                if stopped_ns or descriptor in ready_fds:
                    self._read_dropped(tap, direction)
            # After the packets: one that arrived before a timer ran out pushes it back.
            is_due = alarm.fileno() in ready_fds
            if is_due:
                self._subject = "at a timer"
                execution.on_timer(time.time_ns())
            execution.write_log()
        queue_dropped, user_dropped = _queue_losses()
        counters: BoxCounters = {
            "queue_dropped": queue_dropped, "user_dropped": user_dropped, "logged_drops": execution.logged_drops,
            "evicted": execution.inspector.evicted, "stopped_ns": stopped_ns,
        }  # fmt: skip
        queue.close()
        alarm.close()
        return counters

    def _on_queued(self, queued: QueuedPacket) -> None:
        """Take a packet of the queue."""
        direction = _DIRECTION_OF_MARK[queued.mark]
        has_learnt = self._wires.learn(direction)
        packet = Packet.parse(queued.payload, direction)
        self._subject = packet
        self._execution.on_packet(queued, packet, queued.arrived_ns, time.time_ns)
        if has_learnt:
            self._wires.stop_listening()

    def _read_dropped(self, tap: socket.socket, direction: Direction) -> None:
        """Log what the kernel's policers sent to a drop port."""
        while True:
            try:
                frame, ancillary, _, _ = tap.recvmsg(65_535, 64)
            except BlockingIOError:
                return
            packet = Packet.parse(frame[_ETHERNET_HEADER:], direction)
            self._subject = packet
            self._execution.on_policed(packet, _timestamp(ancillary))


def _at(subject: Packet | str) -> str:
    return subject if isinstance(subject, str) else f"at a {subject.summary} on its way {subject.direction.value}"


def _described(error: Exception) -> str:
    """Return an exception in one line: kind, message, and the line that raised it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"


def _tap(name: str) -> socket.socket:
    """Return a socket that sees every frame on a link, with the kernel's time of it."""
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    tap.bind((name, _ETH_P_ALL))
    tap.settimeout(0)  # does not block
    return tap


def _timestamp(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("=qq", data)
            return int(seconds * _NS_PER_S + nanoseconds)
    return time.time_ns()


def _queue_losses() -> tuple[int, int]:
    """What the kernel could not queue, and what it could not deliver (net/netfilter/nfnetlink_queue.c, seq_show)."""
    fields = Path("/proc/net/netfilter/nfnetlink_queue").read_text().split()
    return int(fields[5]), int(fields[6])
