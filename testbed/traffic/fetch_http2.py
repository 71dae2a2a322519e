"""Our measuring client over HTTP/2: up or down on one TCP connection, with the instant of everything a client can see.

The package h2 knows the protocol; TLS and the socket are those of `fetch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from testbed.traffic.connection import TransferError
from testbed.traffic.fetch import opened_session, pieces_of

if TYPE_CHECKING:
    from h2.events import Event

    from testbed.traffic.fetch import Session
    from testbed.traffic.log import TransferLog
    from testbed.traffic.request import Request

__all__ = ["fetch_http2", "upload_http2"]

_ALPN = "h2"
_HTTP_OK = "200"
# Of flow control. No line waits for it: with the 64 KiB of RFC 9113 every line would wait for the client.
_WINDOW_BYTES = 16 << 20
_FIRST_WINDOW_BYTES = 65_535  # RFC 9113, section 6.9.2


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
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._done = self._received = self._expected = 0

    def download(self) -> None:
        """Fetch all objects. Raises TransferError."""
        self._begin()
        objects = self._request.objects
        for number in range(1, objects + 1):
            self._http.send_headers(self._http.get_next_available_stream_id(), self._head("GET"), end_stream=True)
            self._finish(number)
            if objects > 1:
                self._log.event("object", number=number, bytes=self._received)
        self._end()

    def upload(self, size: int) -> None:
        """Send an object, as the server's window lets it go. Raises TransferError."""
        self._begin()
        stream = self._http.get_next_available_stream_id()
        self._http.send_headers(stream, [*self._head("POST"), ("content-length", str(size))])
        for piece in pieces_of(size):
            begin = 0
            while begin < len(piece):
                if room := min(self._http.local_flow_control_window(stream), self._http.max_outbound_frame_size):
                    self._http.send_data(stream, piece[begin : begin + room])
                    begin += room
                    self._send()
                else:
                    self._read()
        self._http.end_stream(stream)
        self._finish(1)
        self._end()

    def _begin(self) -> None:
        # Instead of h2's own, not a change of them: a change holds once it is acknowledged, and bytes come before that.
        self._http.local_settings = Settings(
            client=True,
            initial_values={SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW_BYTES},
        )
        self._http.initiate_connection()
        self._http.increment_flow_control_window(_WINDOW_BYTES - _FIRST_WINDOW_BYTES)

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
