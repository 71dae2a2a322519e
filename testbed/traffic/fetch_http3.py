"""Our measuring client over HTTP/3: one QUIC connection, with the instant of everything that a client can see.

Not for: a session that is replayed later; those go over TCP. QUIC is a matter of programs, so there are no samples of
TCP_INFO.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, StreamReset

from testbed.traffic.connection import TransferError, family_of
from testbed.traffic.fetch import pieces_of
from testbed.traffic.quic import QuicEnd, configuration, wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from aioquic.h3.events import H3Event
    from aioquic.quic.events import QuicEvent

    from testbed.traffic.log import TransferLog
    from testbed.traffic.request import Request

__all__ = ["fetch_http3", "upload_http3"]

_HTTP_OK = b"200"
_LEAST_WAIT_S = 1e-6  # what is overdue by less than the clock can tell is due at its next tick


def fetch_http3(request: Request, log: TransferLog) -> None:
    """Fetch what is asked for over HTTP/3 and log every step; nothing here makes the client slow.

    Args:
        request: What, from where.
        log: Events ``started``, ``connected``, ``handshake``, ``bytes``, ``object``. A datagram needs no connection, so
            ``connected`` tells nothing but the two ends, before the first one leaves.

    Raises:
        TransferError: What a user of the client would see.
    """
    _exchange(request, log, lambda end: _Downloads(end, request.host, request.path, log))


def upload_http3(request: Request, log: TransferLog, *, size: int) -> None:
    """Send an object over HTTP/3 by POST, wait for the answer, and log every step.

    Args:
        request: To where. The server counts the bytes as they come: only it sees them.
        log: As of `fetch_http3`, without ``bytes``.
        size: Bytes, which are kept until they have been acknowledged.

    Raises:
        TransferError: What a user of the client would see.
    """
    _exchange(request, log, lambda end: _Upload(end, request.host, request.path, log, size))


def _exchange(request: Request, log: TransferLog, begin: Callable[[QuicEnd], _Downloads]) -> None:
    address, timeout_s = request.address, request.timeout_s
    settings = configuration(is_client=True, idle_timeout_s=timeout_s, server_name=request.host)
    settings.load_verify_locations(cafile=str(request.ca))
    with request.key_log.open("a") as secrets, socket.socket(family_of(address[0]), socket.SOCK_DGRAM) as datagrams:
        settings.secrets_log_file = secrets
        log.event("started", remote=list(address))
        datagrams.connect(address)
        log.event("connected", local=list(datagrams.getsockname()[:2]), remote=list(address), protocol="udp")
        quic = QuicConnection(configuration=settings)
        deadline = log.now() + timeout_s
        end = QuicEnd(quic, datagrams, address)
        begin(end).run(request.objects, address, deadline)


class _Downloads:
    """The requests of one connection, one after the other, and what has come of them."""

    def __init__(self, end: QuicEnd, host: str, path: str, log: TransferLog) -> None:
        self._end = end
        self._host, self._path = host, path
        self._log = log
        self._http: H3Connection | None = None
        self._received = 0
        self._expected: int | None = None
        self._done = self._objects = 0
        self._now = log.now()

    def run(self, objects: int, address: tuple[str, int], deadline: float) -> None:
        """Do all of it. Raises TransferError."""
        self._objects = objects
        quic = self._end.quic
        quic.connect(address, self._now)
        self._end.send_all(self._now)
        while self._done < objects:
            timer = quic.get_timer()
            until = deadline if timer is None else min(timer, deadline)
            readable = wait([self._end.fileno()], max(until - self._now, _LEAST_WAIT_S))
            self._now = self._log.now()
            if self._now >= deadline:
                raise TransferError(f"timed out while {'connecting' if self._http is None else 'waiting for data'}")
            if readable:
                self._end.take_all(self._now)
            self._end.keep_time(self._now)
            for event in self._end.events():
                self._handle(event)
            self._end.send_all(self._now)
        quic.close()
        self._end.send_all(self._now)

    def _handle(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            schedule = self._end.quic.tls.key_schedule
            cipher = "" if schedule is None else f"TLS_{schedule.cipher_suite.name}"
            self._log.event("handshake", version="TLSv1.3", cipher=cipher, protocol=event.alpn_protocol)
            self._http = H3Connection(self._end.quic)
            self._ask()
        elif isinstance(event, ConnectionTerminated):
            raise TransferError(_ended(event, has_begun=self._http is not None))
        elif isinstance(event, StreamReset):
            raise TransferError(f"the server broke the answer off after {self._received} bytes")
        if self._http is not None:
            for each in self._http.handle_event(event):
                self._take(each)

    def _ask(self) -> None:
        if self._http is None:
            return
        self._send(self._http, self._end.quic.get_next_available_stream_id())
        self._expected = None

    def _send(self, http: H3Connection, stream: int) -> None:
        http.send_headers(stream, self._head("GET"), end_stream=True)

    def _head(self, method: str, **more: str) -> list[tuple[bytes, bytes]]:
        head = {":method": method, ":scheme": "https", ":authority": self._host, ":path": self._path, **more}
        return [(name.encode(), value.encode()) for name, value in head.items()]

    def _take(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            self._read_head(dict(event.headers))
        if isinstance(event, DataReceived) and event.data:
            self._received += len(event.data)
            self._log.received(self._now, self._received)
        if isinstance(event, HeadersReceived | DataReceived) and event.stream_ended:
            self._complete()

    def _read_head(self, head: dict[bytes, bytes]) -> None:
        if head.get(b":status") != _HTTP_OK:
            raise TransferError(f"the server answered {head.get(b':status', b'').decode('latin-1')!r}")
        length = head.get(b"content-length", b"").decode("latin-1")
        if not length.isdecimal():
            raise TransferError("the server did not say how long its answer is")
        self._expected = self._received + int(length)

    def _complete(self) -> None:
        if self._received != self._expected:
            raise TransferError(f"the server ended its answer after {self._received} of {self._expected} bytes")
        self._done += 1
        if self._objects > 1:
            self._log.event("object", number=self._done, bytes=self._received)
        if self._done < self._objects:
            self._ask()


class _Upload(_Downloads):
    """A request that has a body, and an answer that has none."""

    def __init__(self, end: QuicEnd, host: str, path: str, log: TransferLog, size: int) -> None:
        super().__init__(end, host, path, log)
        self._size = size

    def _send(self, http: H3Connection, stream: int) -> None:
        http.send_headers(stream, self._head("POST", **{"content-length": str(self._size)}))
        for piece in pieces_of(self._size):
            http.send_data(stream, piece, end_stream=False)
        http.send_data(stream, b"", end_stream=True)


def _ended(event: ConnectionTerminated, *, has_begun: bool) -> str:
    """Return in words how a connection ended that the client did not end."""
    when = "" if has_begun else " during the handshake"
    return f"the connection ended{when}: {event.reason_phrase or f'error {event.error_code}'}"
