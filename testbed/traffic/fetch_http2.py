"""Our measuring client over HTTP/2: up or down on one TCP connection, with the instant of everything a client can see.

The package h2 knows the protocol; TLS and the socket are those of `fetch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from testbed.traffic.connection import TransferError
from testbed.traffic.fetch import opened_session, pieces_of
from testbed.traffic.http2 import Http2

if TYPE_CHECKING:
    from h2.events import Event

    from testbed.traffic.fetch import Session
    from testbed.traffic.log import TransferLog
    from testbed.traffic.request import Request

__all__ = ["fetch_http2", "upload_http2"]

_ALPN = "h2"
_HTTP_OK = "200"


def fetch_http2(request: Request, log: TransferLog) -> None:
    """Fetch what is asked for over HTTP/2 and log every step.

    Raises:
        TransferError: What a user of the client would see.
    """
    with opened_session(request, log, protocol=_ALPN) as (connection, session):
        if request.reading_bps is not None:
            connection.read_at(request.reading_bps)
        _Requests(session, log, request).download()


def upload_http2(request: Request, log: TransferLog, *, size: int) -> None:
    """Send an object over HTTP/2 by POST, wait for the answer, and log every step.

    Args:
        request: To where. The server counts the bytes as they come: only it sees them.
        log: As of `fetch_http2`, without ``bytes``.
        size: Bytes.

    Raises:
        TransferError: What a user of the client would see.
    """
    with opened_session(request, log, protocol=_ALPN) as (_, session):
        _Requests(session, log, request).upload(size)


class _Requests:
    """The requests of one connection, one after the other, and what has come of them."""

    def __init__(self, session: Session, log: TransferLog, request: Request) -> None:
        if session.protocol != _ALPN:
            raise TransferError("the server does not speak HTTP/2")
        self._session, self._log, self._request = session, log, request
        self._http = Http2(is_client=True, settings={SettingCodes.ENABLE_PUSH: 0})
        self._stream = self._done = self._received = self._expected = 0

    def download(self) -> None:
        """Fetch all objects. Raises TransferError."""
        self._http.begin()
        objects = self._request.objects
        for number in range(1, objects + 1):
            self._stream = self._http.get_next_available_stream_id()
            self._http.send_headers(self._stream, self._head("GET"), end_stream=True)
            self._finish(number)
            if objects > 1:
                self._log.event("object", number=number, bytes=self._received)
        self._end()

    def upload(self, size: int) -> None:
        """Send an object, as the server's window lets it go. Raises TransferError."""
        self._http.begin()
        self._stream = stream = self._http.get_next_available_stream_id()
        self._http.send_headers(stream, [*self._head("POST"), ("content-length", str(size))])
        for piece in pieces_of(size):
            begin = 0
            while begin < len(piece):
                if room := self._http.room(stream):
                    self._http.send_data(stream, piece[begin : begin + room])
                    begin += room
                    self._send()
                else:
                    self._read()
        self._http.end_stream(stream)
        self._finish(1)
        self._end()

    def _finish(self, number: int) -> None:
        """Send what is to be sent, and wait until so many requests have been answered."""
        self._send()
        while self._done < number:
            self._read()

    def _end(self) -> None:
        self._http.close_connection()
        self._send()

    def _head(self, method: str) -> list[tuple[str, str]]:
        request = self._request
        return [(":method", method), (":scheme", "https"), (":authority", request.host), (":path", request.path)]

    def _send(self) -> None:
        if data := self._http.data_to_send():
            self._session.write(data)

    def _read(self) -> None:
        if self._http.farewell is not None and self._http.farewell < self._stream:
            raise TransferError("the server takes no more requests on this connection")
        data = self._session.read()
        if not data:
            raise TransferError(f"the server closed the connection after {self._received} of {self._expected} bytes")
        before = self._received
        try:
            events = self._http.receive_data(bytes(data))
        except ProtocolError as error:
            raise TransferError(f"the server broke HTTP/2: {error}") from error
        for event in events:
            self._take(event)
        if self._received > before:
            self._log.received(self._session.now, self._received)
        self._send()  # acknowledgements, and windows that have opened again

    def _take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            self._expected = self._received + _length({str(name): str(value) for name, value in event.headers})
        elif isinstance(event, DataReceived):
            self._received += len(event.data)
            if event.stream_id is not None and event.flow_controlled_length:
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self._done += 1  # h2 has compared the length with the head
        elif isinstance(event, StreamReset | ConnectionTerminated):
            raise TransferError(f"the server broke off with error {event.error_code}")


def _length(head: dict[str, str]) -> int:
    if head.get(":status") != _HTTP_OK:
        raise TransferError(f"the server answered {head.get(':status')!r}")
    length = head.get("content-length", "")
    if not length.isdecimal():
        raise TransferError("the server did not say how long its answer is")
    return int(length)
