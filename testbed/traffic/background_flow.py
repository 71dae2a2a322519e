"""Background traffic: flows between two hosts that nobody measures, and that others have to share the network with.

One process holds both ends of an entry, so a flow knows without asking what has arrived. Payload is bytes of the
entry's own seed: no protocol that a box would read a name in. Nothing here decides when an entry goes on
(`testbed.guest.background`).
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Protocol

from testbed.errors import GuestError
from testbed.middlebox.adapters.alarm import Alarm
from testbed.traffic.hello import reproducible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testbed.records.background import BackgroundPlan
    from testbed.traffic.log import TransferLog

__all__ = ["HEADERS_BYTES", "LEAST_PACKET_BYTES", "DatagramFlow", "Ends", "Flow", "Loop", "StreamFlow", "open_port"]

HEADERS_BYTES = {4: 28, 6: 48}  # of IP and UDP, by IP version
_STAMP = struct.Struct("!IQ")  # which flow of the entry, and which of its packets
LEAST_PACKET_BYTES = {ip: size + _STAMP.size for ip, size in HEADERS_BYTES.items()}
_BLOCK_BYTES = 65_536
_UNSENT_BYTES = 65_536  # what waits in a sender beyond its window: so it ends soon after it is told to
_SAMPLE_S = 0.1
_NS_PER_S = 1_000_000_000
_BITS = 8


class Loop:
    """Descriptors with their handlers, and one timer to the nanosecond."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._alarm = Alarm()
        self._poll.register(self._alarm, select.POLLIN)
        self._has_gone_off = False

    def watch(self, descriptor: int, events: int, handle: Callable[[], None]) -> None:
        """Call ``handle`` when something happens at a descriptor; a second call takes the place of the first."""
        self._poll.register(descriptor, events)
        self._handlers[descriptor] = handle

    def forget(self, descriptor: int) -> None:
        """Watch it no longer."""
        if self._handlers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def wait(self, due_ns: int | None) -> None:
        """Wait until an instant since 1970, or until something has happened and was handled."""
        self._alarm.set(due_ns, has_gone_off=self._has_gone_off)
        ready = [descriptor for descriptor, _ in self._poll.poll()]
        self._has_gone_off = self._alarm.fileno() in ready
        for descriptor in sorted(ready):
            if descriptor in self._handlers:  # the handler of one before it may have closed it
                self._handlers[descriptor]()


class Ends(Protocol):
    """The two hosts of an entry."""

    def open(self, kind: socket.SocketKind, *, at_opener: bool) -> socket.socket:
        """Return a new non-blocking socket at one of them."""

    def address(self, *, of_opener: bool) -> str:
        """Return the address of one of them."""


class Flow(Protocol):
    """One flow, from its first packet to its last."""

    def due_ns(self) -> int | None:
        """Return when `act` is due, nanoseconds since 1970; None: not before something happens."""

    def act(self) -> None:
        """Do what is due."""

    def stop(self) -> None:
        """Send no more."""

    def finish(self) -> None:
        """Be over, whatever is still under way. Does nothing to a flow that is over."""

    @property
    def is_over(self) -> bool:
        """Whether it is."""


@dataclass(slots=True)
class _Arrivals:
    """What has arrived, written down every tenth of a second: packets are in the captures."""

    log: TransferLog
    total: int = 0
    _at: float = 0.0
    _written: int = 0
    _next: float = 0.0

    def add(self, count: int) -> None:
        self.total += count
        self._at = self.log.now()
        if self._at >= self._next:
            self._next = self._at + _SAMPLE_S
            self._write()

    def close(self) -> None:
        if self.total > self._written:
            self._write()
        self.log.flush()

    def _write(self) -> None:
        self._written = self.total
        self.log.received(self._at, self.total)


def open_port(plan: BackgroundPlan, ends: Ends) -> socket.socket:
    """Return the socket at which the opener's peer waits for connections, or the receiver for datagrams.

    Raises:
        GuestError: The kernel has not the congestion control that is asked for.
    """
    is_stream = plan["kind"] != "udp"
    opened = ends.open(socket.SOCK_STREAM if is_stream else socket.SOCK_DGRAM, at_opener=False)
    if is_stream:
        set_congestion_control(opened, plan["congestion_control"])  # what it takes has it, from the first packet on
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(("", plan["port"]))
    if is_stream:
        opened.listen(plan["flows"])
    return opened


def set_congestion_control(of: socket.socket, name: str) -> None:
    """Give a socket a congestion control. Raises GuestError if it has another afterwards."""
    try:
        of.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
    except OSError as error:
        raise GuestError(f"the kernel refused the congestion control {name}: {error.strerror}") from error
    found = of.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()
    if found != name:
        raise GuestError(f"the congestion control {name} was asked for, and the kernel gave {found}")


class StreamFlow:
    """One TCP connection that is always full (bulk), or carries one object after the other with pauses (web).

    Args:
        plan: The entry.
        ends: Its hosts.
        loop: That runs it.
        logs: Of the opener (what happened), and of who receives (what arrived).
    """

    def __init__(self, plan: BackgroundPlan, ends: Ends, loop: Loop, logs: tuple[TransferLog, TransferLog]) -> None:
        self._plan = plan
        self._loop = loop
        self._log = logs[0]
        self._arrived = _Arrivals(logs[1])
        self._block = reproducible(plan["seed"]).randbytes(_BLOCK_BYTES)
        self._objects: Iterator[list[float]] | None = cycle(plan["objects"]) if "objects" in plan else None
        self._pause_s = 0.0
        self._sent = self._goal = 0  # handed to the kernel, and how far it may go; a bulk flow has no goal
        self._due: int | None = None
        self._is_stopped = self._is_over = False
        self._sender: socket.socket | None = None
        self._receiver: socket.socket | None = None
        self._opener = ends.open(socket.SOCK_STREAM, at_opener=True)
        if self._sends_from_opener:
            set_congestion_control(self._opener, plan["congestion_control"])
        remote = (ends.address(of_opener=False), plan["port"])
        self._log.event("started", remote=list(remote))
        code = self._opener.connect_ex(remote)
        # Known from here on, before the peer can have taken the connection.
        self.port: int = self._opener.getsockname()[1]
        if code not in {0, errno.EINPROGRESS}:
            self._close(os.strerror(code))
        else:
            loop.watch(self._opener.fileno(), select.POLLOUT, self._connected)

    @property
    def _sends_from_opener(self) -> bool:
        return self._plan["opener"] == self._plan["sender"]

    @property
    def is_over(self) -> bool:
        """Whether its connection is closed."""
        return self._is_over

    def _connected(self) -> None:
        self._loop.forget(self._opener.fileno())
        if code := self._opener.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._close(f"connecting failed: {os.strerror(code)}")
            return
        near, far = self._opener.getsockname()[:2], self._opener.getpeername()[:2]
        self._log.event("connected", local=list(near), remote=list(far))
        self._take(self._opener, is_sender=self._sends_from_opener)

    def accepted(self, peer: socket.socket) -> None:
        """Take the connection that has come at the other end."""
        if self._is_over:
            peer.close()
            return
        if not self._sends_from_opener:
            set_congestion_control(peer, self._plan["congestion_control"])
        self._take(peer, is_sender=not self._sends_from_opener)

    def _take(self, end: socket.socket, *, is_sender: bool) -> None:
        if not is_sender:
            self._receiver = end
            self._loop.watch(end.fileno(), select.POLLIN, self._receive)
            return
        self._sender = end
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        if self._is_stopped:
            self._end_sending()
        else:
            self._next_object()

    def _next_object(self) -> None:
        if self._sender is None:
            return
        if self._objects is not None:
            size, self._pause_s = next(self._objects)
            self._goal += int(size)
        self._loop.watch(self._sender.fileno(), select.POLLOUT, self._send)

    def _send(self) -> None:
        assert self._sender is not None  # noqa: S101 - watched only while it is there
        if self._objects is not None and self._sent == self._goal:  # nothing to send: something broke
            self._close(os.strerror(self._sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or errno.ECONNRESET))
            return
        at = self._sent % _BLOCK_BYTES
        end = _BLOCK_BYTES if self._objects is None else min(_BLOCK_BYTES, at + self._goal - self._sent)
        try:
            self._sent += self._sender.send(memoryview(self._block)[at:end])
        except BlockingIOError:
            return
        except OSError as error:
            self._close(f"sending failed: {error.strerror}")
            return
        if self._objects is not None and self._sent == self._goal:
            self._loop.watch(self._sender.fileno(), 0, self._send)

    def _receive(self) -> None:
        assert self._receiver is not None  # noqa: S101 - watched only while it is there
        try:
            data = self._receiver.recv(_BLOCK_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._close(f"receiving failed: {error.strerror}")
            return
        if not data:
            self._close(None)
            return
        self._arrived.add(len(data))
        is_complete = self._objects is not None and self._arrived.total == self._goal
        if is_complete and not self._is_stopped:
            self._due = time.time_ns() + round(self._pause_s * _NS_PER_S)

    def due_ns(self) -> int | None:
        """Return when the next object is due."""
        return self._due

    def act(self) -> None:
        """Send the next object."""
        self._due = None
        self._next_object()

    def stop(self) -> None:
        """Send no more: what is under way arrives, then the connection is closed."""
        if self._is_over or self._is_stopped:
            return
        self._is_stopped = True
        self._due = None
        if self._sender is not None:
            self._end_sending()

    def _end_sending(self) -> None:
        assert self._sender is not None  # noqa: S101 - both callers have looked
        self._loop.forget(self._sender.fileno())
        try:
            self._sender.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._close(f"closing failed: {error.strerror}")

    def finish(self) -> None:
        """Close the connection as it is."""
        if not self._is_over:
            connected = self._sender is not None and self._receiver is not None
            self._close(None if connected else "it was not connected")

    def _close(self, error: str | None) -> None:
        self._is_over, self._due = True, None
        for end in {self._opener, self._sender, self._receiver} - {None}:
            if end is not None and end.fileno() >= 0:
                self._loop.forget(end.fileno())
                end.close()
        self._arrived.close()
        self._log.event("finished", ok=error is None, error=error, sent=self._sent)


class DatagramFlow:
    """Datagrams of one size, at equal distances or as a Poisson process.

    Args:
        plan: The entry.
        ends: Its hosts.
        logs: As of `StreamFlow`.
        number: Which of the entry's flows it is: each has arrivals of its own.
    """

    def __init__(self, plan: BackgroundPlan, ends: Ends, logs: tuple[TransferLog, TransferLog], *, number: int) -> None:
        self._log = logs[0]
        self._arrived = _Arrivals(logs[1])
        self._random = reproducible((plan["seed"] << 32) + number)
        self._number = number
        self._size = plan["packet_bytes"] - HEADERS_BYTES[plan.get("ip", 4)]
        self._payload = reproducible(plan["seed"]).randbytes(self._size - _STAMP.size)
        self._is_poisson = plan["arrivals"] == "poisson"
        self._interval_ns = plan["packet_bytes"] * _BITS * _NS_PER_S / plan["rate_bps"]
        self._offered = self._sent = 0
        self._socket = ends.open(socket.SOCK_DGRAM, at_opener=True)
        remote = (ends.address(of_opener=False), plan["port"])
        self._socket.connect(remote)
        self._log.event("started", remote=list(remote))
        local = self._socket.getsockname()[:2]
        # Boxes know a flow by the subscriber's end of it, which is where datagrams go that come from outside.
        near, far = (local, remote) if plan["inside"] == plan["sender"] else (remote, local)
        self._log.event("connected", local=list(near), remote=list(far))
        self._began_ns = time.time_ns()
        self._at_ns = 0.0  # of the next packet, since it began
        self._stopped_s: float | None = None  # since the start of the run
        self._is_over = False
        self._step()

    @property
    def is_over(self) -> bool:
        """Whether its socket is closed."""
        return self._is_over

    def _step(self) -> None:
        # Constant arrivals are counted from the beginning: rounding must not add up.
        if self._is_poisson:
            self._at_ns += self._random.expovariate(1 / self._interval_ns)
        else:
            self._at_ns = self._offered * self._interval_ns

    def due_ns(self) -> int | None:
        """Return when the next datagram is due."""
        return None if self._stopped_s is not None else self._began_ns + round(self._at_ns)

    def act(self) -> None:
        """Send the datagram that is due."""
        try:
            self._socket.send(_STAMP.pack(self._number, self._offered) + self._payload)
            self._sent += self._size
        except OSError:
            pass  # the host's own queue is full, or a router says that nobody is there: lost like any other
        self._offered += 1
        self._step()

    def arrived(self, datagram: bytes) -> None:
        """Count a datagram that has come at the other end."""
        if not self._is_over:
            self._arrived.add(len(datagram))

    def stop(self) -> None:
        """Send no more; what is under way still counts."""
        self._stopped_s = self._stopped_s or self._log.now()

    def finish(self) -> None:
        """Count no more."""
        if self._is_over:
            return
        self.stop()
        self._is_over = True
        self._socket.close()
        self._arrived.close()
        offered = self._offered * self._size
        self._log.event("finished", ok=True, error=None, sent=self._sent, offered=offered, t_finished=self._stopped_s)


def flow_of(datagram: bytes) -> int | None:
    """Return which flow of its entry a datagram is of; None: it is none of ours."""
    return _STAMP.unpack_from(datagram)[0] if len(datagram) >= _STAMP.size else None
