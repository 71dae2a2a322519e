"""Background traffic over TCP: a connection that is always full, or one that carries one object after the other.

Payload is bytes of the entry's own seed: no protocol that a box would read a name in.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from itertools import cycle
from typing import TYPE_CHECKING

from testbed.errors import GuestError
from testbed.traffic.background_flow import Arrivals
from testbed.traffic.hello import reproducible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.background import BackgroundPlan
    from testbed.traffic.background_flow import Ends, Loop
    from testbed.traffic.log import TransferLog

__all__ = ["StreamFlow", "open_port"]

_BLOCK_BYTES = 65_536
_UNSENT_BYTES = 65_536  # what waits in a sender beyond its window: so it ends soon after it is told to
_NS_PER_S = 1_000_000_000


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
        self._arrived = Arrivals(logs[1])
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
