"""A TCP connection with one deadline for everything and TCP_INFO samples by the way."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import termios
import time
from typing import TYPE_CHECKING

from testbed.errors import TestbedError
from testbed.traffic.pace import Pace, set_receive_buffer

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.traffic.log import TransferLog

__all__ = ["Connection", "TransferError", "accept", "connect", "family_of", "set_ttl"]

TCP_INFO = 11
# linux/tcp.h
_TCP_REPAIR, _TCP_REPAIR_QUEUE, _TCP_QUEUE_SEQ = 19, 20, 21
_REPAIR_ON, _REPAIR_OFF_IN_SILENCE = 1, -1
_RECEIVE_QUEUE, _SEND_QUEUE = 1, 2
_TCP_INFO_BYTES = 232
_TCP_INFO_INTERVAL_S = 0.1  # half a round-trip time of the published measurements
_RECEIVE_BYTES = 65_536
_READING_S, _LEAST_READ_BYTES = 0.02, 500  # a slow reader reads often, and not byte by byte
_OVERDUE_S = 0.001  # past a deadline, so that a wait that is cut there finds it passed
_BITS = 8
# struct tcp_info, linux/tcp.h: name and offset of what is sampled; 32-bit fields unless named _bytes.
_TCP_INFO_FIELDS = {
    "rto_us": (8, "=I"),
    "snd_mss": (16, "=I"),
    "unacked": (24, "=I"),
    "lost": (32, "=I"),
    "retrans": (36, "=I"),
    "rtt_us": (68, "=I"),
    "rttvar_us": (72, "=I"),
    "snd_ssthresh": (76, "=I"),
    "snd_cwnd": (80, "=I"),
    "rcv_rtt_us": (92, "=I"),
    "rcv_space": (96, "=I"),
    "total_retrans": (100, "=I"),
    "bytes_acked": (120, "=Q"),
    "bytes_received": (128, "=Q"),
    "min_rtt_us": (148, "=I"),
    "delivery_rate": (160, "=Q"),
    "bytes_sent": (200, "=Q"),
    "bytes_retrans": (208, "=Q"),
    "rcv_ooopack": (224, "=I"),
}


class TransferError(TestbedError):
    """A transfer failed in a way that a client sees: a time-out, a reset, a wrong answer."""


class Connection:
    """A connected, non-blocking socket. One clock reading and two system calls a segment: inside the guest both cost.

    Args:
        connected: The socket.
        deadline: For everything, on the log's clock (seconds since the start of the run).
        log: Where TCP_INFO samples go, and whose clock is read.

    Attributes:
        now: When the last call returned, on the log's clock.
        local: Address and port of this end.
        remote: Those of the other end.
    """

    def __init__(self, connected: socket.socket, *, deadline: float, log: TransferLog) -> None:
        self._socket = connected
        # Non-blocking, with poll before each call: a time-out of the socket module would cost a clock reading more.
        self._socket.settimeout(0)
        self._deadline = deadline
        self._log = log
        self._next_sample = 0.0
        self._reading: Pace | None = None
        self._most_read = _RECEIVE_BYTES
        # One buffer for the whole transfer: a new one for each segment would be memory that the guest has to fault in.
        self._buffer = bytearray(_RECEIVE_BYTES)
        self._view = memoryview(self._buffer)
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(connected, select.POLLIN)
        self._writable.register(connected, select.POLLOUT)
        self.now = log.now()
        # Of IPv6 two more follow, a flow label and a scope, which are 0 here.
        self.local: tuple[str, int] = connected.getsockname()[:2]
        self.remote: tuple[str, int] = connected.getpeername()[:2]

    def send(self, data: bytes) -> None:
        """Hand all of it to the kernel. Raises TransferError."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                _wait(self._writable, self._deadline - self.now, "sending")
            except OSError as error:
                raise TransferError(f"sending failed: {error.strerror}") from error
            self._tick()

    def receive(self, limit: int = _RECEIVE_BYTES) -> memoryview:
        """Return what has arrived, 1 to ``limit`` bytes, valid until the next call; empty when the peer has closed.

        Raises:
            TransferError: Nothing came before the deadline, or the connection broke.
        """
        if self._reading is not None and (delay := self._reading.delay(self.now)):
            self.wait(min(delay, max(self._deadline - self.now, 0.0) + _OVERDUE_S))
        _wait(self._readable, self._deadline - self.now, "waiting for data")
        try:
            count = self._socket.recv_into(self._buffer, min(limit, self._most_read))
        except OSError as error:
            raise TransferError(f"receiving failed: {error.strerror}") from error
        self._tick()
        if self._reading is not None:
            self._reading.spend(count, self.now)
        return self._view[:count]

    def read_at(self, rate_bps: int) -> None:
        """Read no faster than this from now on, so that the receive buffer fills and its window closes."""
        self._reading = Pace(rate_bps, self.now)
        self._most_read = min(max(round(rate_bps / _BITS * _READING_S), _LEAST_READ_BYTES), _RECEIVE_BYTES)

    def drain(self) -> None:
        """Say that no more will be sent, and wait until the peer has closed too. Raises TransferError."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise TransferError(f"closing failed: {error.strerror}") from error
        while self.receive():  # what still comes is of no interest; a socket closed over it would send a reset
            pass

    def wait(self, seconds: float) -> None:
        """Do nothing for a while. Raises TransferError when the deadline has passed by then."""
        time.sleep(seconds)
        self.now = self._log.now()
        if self.now > self._deadline:
            raise TransferError("timed out while waiting")

    def hurry(self, seconds: float) -> None:
        """Move the deadline: from now, so many seconds."""
        self._deadline = self._log.now() + seconds

    def send_at_once(self) -> None:
        """Let every ``send`` leave in a segment of its own, as long as windows allow."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def set_ttl(self, ttl: int) -> None:
        """Time-to-live, or hop limit, of the segments that are sent, and sent again, from now on."""
        set_ttl(self._socket, ttl)

    def sequence_numbers(self) -> tuple[int, int]:
        """Return those of the next byte to send and the next to receive, as a sniffer would learn them from the wire.

        The kernel tells them in its repair mode, which is left at once and without a probe. Takes CAP_NET_ADMIN.
        """
        self._socket.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _REPAIR_ON)
        try:
            return self._queue_sequence(_SEND_QUEUE), self._queue_sequence(_RECEIVE_QUEUE)
        finally:
            # Leaving in the ordinary way sends a window probe, which a box and a capture would see.
            self._socket.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _REPAIR_OFF_IN_SILENCE)

    def _queue_sequence(self, queue: int) -> int:
        self._socket.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_QUEUE, queue)
        return self._socket.getsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ) % 2**32

    def unacknowledged(self) -> int:
        """Return how many bytes were sent, or wait to be, and are not acknowledged."""
        count: int = struct.unpack("=i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4)))[0]
        return count

    def close(self) -> None:
        """Take a last sample and close."""
        # The sample that is due may be a tenth of a second away, and the last bytes are what a detector looks at.
        self._next_sample = 0.0
        self._tick()
        self._socket.close()

    def _tick(self) -> None:
        self.now = self._log.now()
        if self.now >= self._next_sample:
            self._next_sample = self.now + _TCP_INFO_INTERVAL_S
            raw = self._socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, _TCP_INFO_BYTES)
            fields = {
                name: struct.unpack_from(form, raw, offset)[0] for name, (offset, form) in _TCP_INFO_FIELDS.items()
            }
            self._log.tcp_info(self.now, fields)


def _wait(poll: select.poll, remaining_s: float, doing: str) -> None:
    if remaining_s <= 0 or not poll.poll(remaining_s * 1000):
        raise TransferError(f"timed out while {doing}")


def family_of(address: str) -> socket.AddressFamily:
    """Return the family of sockets that an address is for."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def set_ttl(of: socket.socket, ttl: int) -> None:
    """Give a socket the time-to-live, or hop limit, of what it sends from now on."""
    if of.family == socket.AF_INET6:
        of.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        of.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)


def connect(
    address: tuple[str, int],
    *,
    timeout_s: float,
    log: TransferLog,
    local_port: int = 0,
    receive_buffer: int | None = None,
) -> Connection:
    """Connect and log ``started`` and ``connected``.

    Args:
        address: IPv4 or IPv6 address, and port.
        timeout_s: For the connection and all that is done with it.
        log: Where events and samples go.
        local_port: 0 lets the kernel choose.
        receive_buffer: Bytes; None: the kernel's, which grows.

    Raises:
        TransferError: Refused, unreachable or timed out.
        GuestError: The kernel gave another buffer.
    """
    deadline = log.now() + timeout_s
    connecting = socket.socket(family_of(address[0]), socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if receive_buffer is not None:
            set_receive_buffer(connecting, receive_buffer)
        # An empty host is any address: the client's own, which routing chooses.
        connecting.bind(("", local_port))
        log.event("started", remote=list(address))
        _finish_connecting(connecting, address, timeout_s)
        log.event("connected", local=list(connecting.getsockname()[:2]), remote=list(address))
        return Connection(connecting, deadline=deadline, log=log)
    except BaseException:
        connecting.close()
        raise


def _finish_connecting(connecting: socket.socket, address: tuple[str, int], timeout_s: float) -> None:
    # connect_ex of a non-blocking socket: so the time-out is ours, and no signal handler of the socket module is in it.
    code = connecting.connect_ex(address)
    if code == errno.EINPROGRESS:
        connected = select.poll()
        connected.register(connecting, select.POLLOUT)
        _wait(connected, timeout_s, "connecting")
        code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise TransferError(f"connecting failed: {os.strerror(code)}")


def accept(announce: Callable[[], None], *, address: str, port: int, timeout_s: float, log: TransferLog) -> Connection:
    """Listen on a port, let the peer know, and take its connection; log ``started`` and ``connected``.

    Args:
        announce: Called once the port is open.
        address: Of this end, which says over which IP the peer will come.
        port: Of this end.
        timeout_s: For the connection and all that is done with it.
        log: Where events and samples go.

    Raises:
        TransferError: Nobody came in time.
    """
    deadline = log.now() + timeout_s
    with socket.create_server(("", port), family=family_of(address)) as listening:
        listening.settimeout(timeout_s)
        log.event("started", local_port=port)
        announce()  # not before the port is open: the far end connects at once
        try:
            accepted, remote = listening.accept()
        except TimeoutError:
            raise TransferError("timed out while waiting for a connection") from None
    log.event("connected", local=list(accepted.getsockname()[:2]), remote=list(remote[:2]))
    return Connection(accepted, deadline=deadline, log=log)
