"""HTTP/2 of the testbed's own origin, for a client that has chosen it by ALPN.

The package h2 knows the protocol; when an answer goes out, and how fast, is the origin's.
"""

from __future__ import annotations

import contextlib
import io
import select
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from testbed.traffic.http2 import Http2
from testbed.traffic.pace import Pace

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import BinaryIO

    from h2.events import Event

    from testbed.traffic.log import TransferLog
    from testbed.traffic.origin_server import OriginServer

__all__ = ["serve_http2"]

_READ_BYTES = 65_536
_MOST_REQUESTS = 128  # of one connection at a time, as nginx has it
_PIECE_BYTES = 16_375  # with the head of its frame it fills a TLS record


def serve_http2(session: ssl.SSLSocket, origin: OriginServer, think_s: Callable[[], float]) -> None:
    """Answer the requests of one connection until its client goes away or says nothing for long.

    Args:
        session: After the handshake, with a timeout.
        origin: Whose.
        think_s: Returns how long it thinks about the next request, seconds.
    """
    with contextlib.suppress(ProtocolError, OSError):
        _Connection(session, origin, think_s).serve()


@dataclass(slots=True)
class _Request:
    """A request: what is asked, and what has come of its body."""

    method: str
    path: str
    log: TransferLog | None
    taken: int = 0
    due: float = 0.0


@dataclass(slots=True)
class _Body:
    """A body on its way: pieces of it wait for their time and for room in the client's window."""

    stream: int
    source: BinaryIO
    left: int
    pace: Pace | None = field(default=None)


class _Connection:
    """One connection: requests that come, requests that are thought about, and bodies that go out."""

    def __init__(self, session: ssl.SSLSocket, origin: OriginServer, think_s: Callable[[], float]) -> None:
        self._session, self._origin, self._think_s = session, origin, think_s
        self._http = Http2(is_client=False, settings={SettingCodes.MAX_CONCURRENT_STREAMS: _MOST_REQUESTS})
        self._coming: dict[int, _Request] = {}
        self._asked: dict[int, _Request] = {}
        self._bodies: deque[_Body] = deque()
        self._is_over = False

    def serve(self) -> None:
        """Do all of it. Raises ProtocolError, OSError."""
        self._http.begin()
        self._flush()
        try:
            while not (self._is_over or self._has_nothing_left()):
                self._wait()
                self._answer()
                self._send()
        finally:
            for body in self._bodies:
                body.source.close()

    def _has_nothing_left(self) -> bool:
        """Return whether the client asks for nothing more, and has been given all."""
        return self._http.farewell is not None and not (self._coming or self._asked or self._bodies)

    def _wait(self) -> None:
        """Wait for the client or for what is due next, and take what has come."""
        now = time.monotonic()
        due = [request.due for request in self._asked.values()]
        ready = [body for body in self._bodies if self._http.room(body.stream)]
        due += [now if body.pace is None else now + body.pace.delay(now) for body in ready]
        patience = self._session.gettimeout()
        wait_s = max(min(due) - now, 0.0) if due else patience
        if self._session.pending() or select.select([self._session], [], [], wait_s)[0]:
            self._read()
        elif not due:
            self._is_over = True  # silent for too long

    def _read(self) -> None:
        data = self._session.recv(_READ_BYTES)
        self._is_over = not data
        try:
            events = self._http.receive_data(data)
        except ProtocolError:
            self._flush()  # the reason
            raise
        for event in events:
            self._take(event)
        self._flush()

    def _take(self, event: Event) -> None:
        if isinstance(event, RequestReceived) and event.stream_id is not None:
            head = {str(name): str(value) for name, value in event.headers or []}
            path = head.get(":path", "")
            self._coming[event.stream_id] = _Request(head.get(":method", ""), path, self._origin.uploads.get(path))
        elif isinstance(event, DataReceived) and event.stream_id is not None:
            self._count(self._coming.get(event.stream_id), len(event.data))
            if event.flow_controlled_length:
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded) and event.stream_id in self._coming:
            request = self._coming.pop(event.stream_id)
            request.due = time.monotonic() + (self._think_s() if self._origin.think_s else 0.0)
            self._asked[event.stream_id] = request
        elif isinstance(event, StreamReset):
            self._forget(event.stream_id)
        elif isinstance(event, ConnectionTerminated):
            self._is_over = True

    @staticmethod
    def _count(request: _Request | None, count: int) -> None:
        """Count a piece of an upload, and keep nothing of it."""
        if request is not None and count:
            request.taken += count
            if request.log is not None:
                request.log.received(request.log.now(), request.taken)

    def _forget(self, stream: int | None) -> None:
        """Do no more for a stream that the client has given up."""
        self._coming.pop(stream or 0, None)
        self._asked.pop(stream or 0, None)
        for body in [each for each in self._bodies if each.stream == stream]:
            self._bodies.remove(body)
            body.source.close()

    def _answer(self) -> None:
        """Begin the answers that are due, in the order in which they are."""
        now = time.monotonic()
        due = sorted((request.due, stream) for stream, request in self._asked.items() if request.due <= now)
        for _, stream in due:
            request = self._asked.pop(stream)
            status, content = self._origin.answer(request.method, request.path)
            size = content.stat().st_size if isinstance(content, Path) else len(content)
            has_body = request.method != "HEAD" and size > 0
            head = [(":status", str(status.value)), ("content-type", "application/octet-stream")]
            self._http.send_headers(stream, [*head, ("content-length", str(size))], end_stream=not has_body)
            if has_body:
                source = content.open("rb") if isinstance(content, Path) else io.BytesIO(content)
                rate_bps = self._origin.rate_bps
                self._bodies.append(_Body(stream, source, size, None if rate_bps is None else Pace(rate_bps, now)))
        self._flush()

    def _send(self) -> None:
        """Send a piece of each body that has room and whose time has come."""
        now = time.monotonic()
        for body in [*self._bodies]:
            if (body.pace is None or not body.pace.delay(now)) and (room := self._http.room(body.stream)):
                piece = body.source.read(min(self._origin.piece_bytes(_PIECE_BYTES), room))
                body.left -= len(piece)
                self._http.send_data(body.stream, piece, end_stream=not body.left)
                if body.pace is not None:
                    body.pace.spend(len(piece), now)
                if not body.left:
                    self._bodies.remove(body)
                    body.source.close()
                self._flush()

    def _flush(self) -> None:
        if data := self._http.data_to_send():
            self._session.sendall(data)
