"""An origin over HTTP/3: it listens on UDP port 443, beside whatever server the origin has for TCP.

Sends objects as fast as QUIC's congestion control lets it, or at the origin's rate, after its time to think.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated

from testbed.traffic.connection import TransferError, family_of
from testbed.traffic.hello import reproducible
from testbed.traffic.origin import find_object
from testbed.traffic.pace import Pace
from testbed.traffic.quic import QuicEnd, configuration, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from random import Random

    from aioquic.h3.events import H3Event
    from aioquic.quic.configuration import QuicConfiguration

    from testbed.traffic.log import TransferLog

__all__ = ["Http3Origin", "serve_http3"]

HTTPS = 443
_IDLE_S = 75.0  # as the origins' servers for TCP have it
_LARGEST_DATAGRAM = 65_535
_SHORTEST_INITIAL = 1200  # RFC 9000, section 14.1: a shorter one is discarded
_TYPE, _INITIAL, _VERSION_1 = 0xF0, 0xC0, b"\x00\x00\x00\x01"
_LONGEST_ID = 20
_PIECE_BYTES = 1300  # of a paced body: about a datagram's worth
_OVERDUE_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Http3Origin:
    """What an origin needs to know.

    Attributes:
        folder: With ``certificate.pem``, ``key.pem`` and the objects below ``www``.
        rate_bps: Of a body; None: as fast as congestion control lets it.
        think_s: Between a request and the first byte of its answer.
        think_sigma: Spread of that, as the standard deviation of its logarithm.
        think_seed: Of the spread's draws.
        has_ipv6: Whether it listens on IPv6 as well.
        uploads: Path to the log of the upload that comes there. Others are taken, and nothing is written down.
    """

    folder: Path
    rate_bps: int | None = None
    think_s: float = 0.0
    think_sigma: float = 0.0
    think_seed: int = 0
    has_ipv6: bool = False
    uploads: Mapping[str, TransferLog] = field(default_factory=dict)

    def configuration(self) -> QuicConfiguration:
        """Return how its connections are set up."""
        made = configuration(is_client=False, idle_timeout_s=_IDLE_S)
        made.load_cert_chain(self.folder / "certificate.pem", self.folder / "key.pem")
        return made


class _Agenda:
    """What is to be done at later instants, in the order of time."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()  # of two at one instant, the first that was noted is the first

    def note(self, t: float, do: Callable[[float], None]) -> None:
        """Have something done at an instant."""
        heapq.heappush(self._entries, (t, next(self._numbers), do))

    def next(self) -> float | None:
        """Return when something is due next."""
        return self._entries[0][0] if self._entries else None

    def carry_out(self, now: float) -> None:
        """Do what is due."""
        while self._entries and self._entries[0][0] <= now:
            heapq.heappop(self._entries)[2](now)


@dataclass(slots=True)
class _Body:
    """A request whose body is still to come; its log is told how much has come by when."""

    asked: dict[str, str]
    log: TransferLog | None
    taken: int = 0

    def take(self, count: int) -> None:
        """Count some of it, and keep nothing."""
        self.taken += count
        if self.log is not None and count:
            self.log.received(self.log.now(), self.taken)


class _Client:
    """One connection of a client, and the answers to its requests."""

    def __init__(self, origin: Http3Origin, end: QuicEnd, agenda: _Agenda, spread: Random) -> None:
        self._origin = origin
        self._spread = spread
        self._agenda = agenda
        self._http: H3Connection | None = None
        self._bodies: dict[int, _Body] = {}
        self.end = end
        self.is_over = False

    def step(self, now: float) -> None:
        """Do what is due, answer what was asked, and send what may be sent."""
        self.end.keep_time(now)
        for event in self.end.events():
            self.is_over = self.is_over or isinstance(event, ConnectionTerminated)
            if isinstance(event, ProtocolNegotiated):
                self._http = H3Connection(self.end.quic)
            if self._http is not None:
                for each in self._http.handle_event(event):
                    self._take(self._http, each, now)
        if not self.is_over:
            self.end.send_all(now)

    def _take(self, http: H3Connection, event: H3Event, now: float) -> None:
        stream = event.stream_id if isinstance(event, HeadersReceived | DataReceived) else None
        if stream is None:
            return
        if isinstance(event, HeadersReceived):
            asked = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            self._bodies[stream] = _Body(asked, self._origin.uploads.get(asked.get(":path", "")))
        elif isinstance(event, DataReceived) and stream in self._bodies:
            self._bodies[stream].take(len(event.data))
        # A request is answered once all of it has come.
        if isinstance(event, HeadersReceived | DataReceived) and event.stream_ended and stream in self._bodies:
            self._think(http, stream, self._bodies.pop(stream), now)

    def _think(self, http: H3Connection, stream: int, body: _Body, now: float) -> None:
        asked = body.asked
        if self._origin.think_s:
            think_s = self._origin.think_s
            if self._origin.think_sigma:
                think_s *= self._spread.lognormvariate(0, self._origin.think_sigma)
            self._agenda.note(now + think_s, lambda then: self._answer(http, stream, asked, then))
        else:
            self._answer(http, stream, asked, now)

    def _answer(self, http: H3Connection, stream: int, asked: dict[str, str], now: float) -> None:
        if self.is_over:
            return
        found = find_object(self._origin.folder, asked.get(":path", "")) if asked.get(":method") == "GET" else None
        size = 0 if found is None else found.stat().st_size
        status = b"404" if found is None and asked.get(":method") != "POST" else b"200"
        head = [(b":status", status), (b"content-length", str(size).encode())]
        http.send_headers(stream, head, end_stream=not size)
        if found is None or not size:
            return
        if self._origin.rate_bps is None:
            http.send_data(stream, found.read_bytes(), end_stream=True)
        else:
            pieces = _pieces(found)
            self._send_paced(partial(http.send_data, stream), pieces, Pace(self._origin.rate_bps, now), now)

    def _send_paced(self, send: Callable[[bytes, bool], None], left: deque[bytes], pace: Pace, now: float) -> None:
        """Send the next piece of a body, and note when the one after it is due."""
        if self.is_over:
            return
        piece = left.popleft()
        send(piece, not left)
        pace.spend(len(piece), now)
        if left:
            self._agenda.note(now + pace.delay(now), lambda then: self._send_paced(send, left, pace, then))


def _pieces(path: Path) -> deque[bytes]:
    with path.open("rb") as file:
        return deque(iter(lambda: file.read(_PIECE_BYTES), b""))


class _Listener:
    """The port of an origin. Each client has a socket of its own: so the kernel numbers its IP packets."""

    def __init__(self, origin: Http3Origin, port: int) -> None:
        self._origin, self._port = origin, port
        self._configuration = origin.configuration()
        families = [socket.AF_INET, *([socket.AF_INET6] if origin.has_ipv6 else [])]
        self._listening = {each.fileno(): each for each in (_bound(port, family) for family in families)}
        self._clients: dict[tuple[str, int], _Client] = {}
        self._agenda = _Agenda()
        self._spread = reproducible(origin.think_seed)

    def serve(self, ending: int) -> None:
        """Serve until a descriptor is readable."""
        now = time.monotonic()
        while True:
            by_descriptor = {each.end.fileno(): each for each in self._clients.values()}
            readable = wait([ending, *self._listening, *by_descriptor], self._patience(now))
            now = time.monotonic()
            if ending in readable:
                return
            for descriptor in readable:
                if descriptor in by_descriptor:
                    self._take_from(by_descriptor[descriptor], now)
                else:
                    self._take_first(self._listening[descriptor], now)
            self._agenda.carry_out(now)
            for peer, client in [*self._clients.items()]:
                self._step(peer, client, now)

    def close(self) -> None:
        """Close the sockets, and say nothing to clients that are still there."""
        for listening in self._listening.values():
            listening.close()
        for client in self._clients.values():
            client.end.close()

    def _patience(self, now: float) -> float | None:
        """Return how long nothing is due."""
        timers = [self._agenda.next(), *(client.end.quic.get_timer() for client in self._clients.values())]
        due = min((timer for timer in timers if timer is not None), default=None)
        return None if due is None else max(due - now, _OVERDUE_S)

    def _take_from(self, client: _Client, now: float) -> None:
        # A client that has gone away says so by ICMP. Its connection then waits out its time like any other.
        with contextlib.suppress(TransferError):
            client.end.take_all(now)

    def _take_first(self, listening: socket.socket, now: float) -> None:
        """Take a datagram that no connection's socket took: the first of a client, or one that came right after it."""
        data, (host, port, *_) = listening.recvfrom(_LARGEST_DATAGRAM)
        peer = (host, port)
        client = self._clients.get(peer) or self._accepted(data, peer)
        if client is not None:
            client.end.take(data, now)

    def _accepted(self, data: bytes, peer: tuple[str, int]) -> _Client | None:
        """Return a new connection, if a datagram begins one."""
        identifier = _begun(data)
        if identifier is None:
            return None
        datagrams = _bound(self._port, family_of(peer[0]))
        datagrams.connect(peer)
        quic = QuicConnection(configuration=self._configuration, original_destination_connection_id=identifier)
        self._clients[peer] = client = _Client(self._origin, QuicEnd(quic, datagrams, peer), self._agenda, self._spread)
        return client

    def _step(self, peer: tuple[str, int], client: _Client, now: float) -> None:
        with contextlib.suppress(TransferError):
            client.step(now)
        if client.is_over:
            client.end.close()
            del self._clients[peer]


def _begun(data: bytes) -> bytes | None:
    """Return the connection ID that a client has made up for its server; None: its datagram begins no connection."""
    # RFC 9000, section 17.2.2: flags, version, length of the ID and the ID itself.
    if len(data) < _SHORTEST_INITIAL or data[0] & _TYPE != _INITIAL or data[1:5] != _VERSION_1:
        return None
    length = data[5]
    return data[6 : 6 + length] if length <= _LONGEST_ID else None


def _bound(port: int, family: socket.AddressFamily) -> socket.socket:
    """Return a socket on a port that others are on, too: one that is connected is found before the one that listens."""
    bound = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:  # its IPv4 port is another socket's
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("", port))
    return bound


def serve_http3(origin: Http3Origin, *, ready: Callable[[], None], ending: int, port: int = HTTPS) -> None:
    """Take connections until it is to end.

    Args:
        origin: What it is.
        ready: Called once it listens.
        ending: A descriptor that is readable once it is to end.
        port: Of UDP.
    """
    listener = _Listener(origin, port)
    try:
        ready()
        listener.serve(ending)
    finally:
        listener.close()
