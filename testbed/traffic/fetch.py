"""Our measuring client: one HTTPS request, up or down, with the instant of everything that a client can see.

TLS runs in memory, so the bytes on the wire can be recorded as well as measured.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

from testbed.traffic.connection import Connection, TransferError, connect
from testbed.traffic.hello import reproducible
from testbed.traffic.recording import Message, Recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.traffic.log import TransferLog
    from testbed.traffic.request import Request

__all__ = ["Session", "fetch", "opened_session", "pieces_of", "upload"]

_MAX_HEADER_BYTES = 65_536
_RECORD_BYTES = 16_384  # the most that a TLS record holds
_HTTP_OK = 200
_STATUS_WORDS = 2  # version and status; the reason may be empty


def fetch(request: Request, log: TransferLog, *, keeps: bool = True) -> Recording:
    """Fetch what is asked for and log every step.

    Args:
        request: What, from where.
        log: Events ``started``, ``connected``, ``handshake``, ``bytes``, ``object``, ``tcp_info``.
        keeps: Whether what goes over the wire is kept; an object may be larger than memory.

    Returns:
        The TLS session as it went over the wire; empty if it was not kept.

    Raises:
        TransferError: What a user of the client would see.
    """
    with opened_session(request, log, keeps=keeps) as (connection, session):
        if request.reading_bps is not None:
            connection.read_at(request.reading_bps)
        received = 0
        for left in range(request.objects - 1, -1, -1):
            goes_on = "keep-alive" if left else "close"
            head = f"GET {request.path} HTTP/1.1\r\nHost: {request.host}\r\nConnection: {goes_on}\r\n\r\n"
            session.write(head.encode())
            received = _read_response(session, log, before=received)
            if request.objects > 1:
                log.event("object", number=request.objects - left, bytes=received)
        return Recording.of(request.host, session.pieces)


def upload(request: Request, log: TransferLog, *, size: int) -> None:
    """Send an object by POST, wait for the answer, and log every step.

    Args:
        request: To where. The server counts the bytes as they come: only it sees them.
        log: Events ``started``, ``connected``, ``handshake``, ``tcp_info``.
        size: Bytes.

    Raises:
        TransferError: What a user of the client would see.
    """
    with opened_session(request, log) as (_, session):
        fields = f"Host: {request.host}\r\nContent-Length: {size}\r\nConnection: close"
        session.write(f"POST {request.path} HTTP/1.1\r\n{fields}\r\n\r\n".encode())
        for piece in pieces_of(size):
            session.write(piece)
        header, _ = _read_head(session)
        _content_length(header)


def pieces_of(size: int) -> Iterator[bytes]:
    """Yield an object of some size, a TLS record at a time.

    It is one piece again and again: TLS makes other bytes of it each time, and an object may be larger than memory.
    """
    piece = reproducible(size).randbytes(_RECORD_BYTES)
    for begin in range(0, size, _RECORD_BYTES):
        yield piece[: size - begin]


@contextlib.contextmanager
def opened_session(
    request: Request, log: TransferLog, *, keeps: bool = False, protocol: str | None = None
) -> Iterator[tuple[Connection, Session]]:
    """Connect, shake hands, and log both; the connection is closed at the end of the block.

    Args:
        request: To where, and how.
        log: Of the steps.
        keeps: Whether what goes over the wire is kept.
        protocol: That is asked for by ALPN, and told in the log; None: the hello has none.

    Raises:
        TransferError: What a user of the client would see.
    """
    connection = connect(request.address, timeout_s=request.timeout_s, log=log, receive_buffer=request.receive_buffer)
    try:
        session = Session(connection, request.host, request.ca, request.key_log, keeps=keeps, protocol=protocol)
        version, cipher = session.handshake()
        chosen = {} if protocol is None else {"protocol": session.protocol}
        log.event("handshake", version=version, cipher=cipher, **chosen)
        yield connection, session
    finally:
        connection.close()


def _read_head(session: Session) -> tuple[bytes, bytes]:
    """Return the head of an answer, and what of its body came with it."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = session.read()
        if not data:
            raise TransferError("the server closed the connection before its answer was complete")
        head += data
        if len(head) > _MAX_HEADER_BYTES:
            raise TransferError("the server's header has no end")
    header, _, body = head.partition(b"\r\n\r\n")
    return header, body


def _read_response(session: Session, log: TransferLog, *, before: int) -> int:
    """Read an answer; return how many bytes of bodies have come on the connection, with those ``before`` it."""
    # The first bytes of the object may have come in the record of the header: they count from that instant.
    header, body = _read_head(session)
    expected = _content_length(header)
    received = len(body)
    log.received(session.now, before + received)
    while received < expected:
        data = session.read()
        if not data:
            raise TransferError(f"the server closed the connection after {received} of {expected} bytes")
        received += len(data)
        log.received(session.now, before + received)
    return before + received


def _content_length(header: bytes) -> int:
    status, *fields = header.decode("latin-1").split("\r\n")
    parts = status.split()
    if len(parts) < _STATUS_WORDS or parts[1] != str(_HTTP_OK):
        raise TransferError(f"the server answered {status!r}")
    for field in fields:
        name, _, value = field.partition(":")
        if name.lower() == "content-length" and value.strip().isdecimal():
            return int(value)
    raise TransferError("the server did not say how long its answer is")


class Session:
    """TLS between memory and a connection.

    Args:
        connection: Over which it goes.
        host: Goes into SNI; the certificate has to be its own.
        ca: Certificate authority, PEM.
        key_log: TLS secrets are appended there.
        keeps: Whether ``pieces`` is to be what went over the wire.
        protocol: That is asked for by ALPN; None: the hello has none.
    """

    def __init__(
        self,
        connection: Connection,
        host: str,
        ca: Path,
        key_log: Path,
        *,
        keeps: bool = True,
        protocol: str | None = None,
    ) -> None:
        # What a default context sends is what OpenSSL's configuration says: the plan's key `hello` sets it.
        context = ssl.create_default_context(cafile=str(ca))
        context.keylog_filename = str(key_log)
        if protocol is not None:
            context.set_alpn_protocols([protocol])
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._connection = connection
        self._buffer = bytearray(_RECORD_BYTES)
        self._view = memoryview(self._buffer)
        self.pieces: list[Message] = []
        self._keeps = keeps

    @property
    def now(self) -> float:
        """When the last bytes came, seconds since the start of the run."""
        return self._connection.now

    @property
    def protocol(self) -> str | None:
        """What the server chose by ALPN."""
        return self._tls.selected_alpn_protocol()

    def handshake(self) -> tuple[str, str]:
        """Version and cipher suite. Raises TransferError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                # Flush before waiting: the answer will be to what lies in the outgoing memory.
                self._flush()
                self._fill("the server closed the connection during the TLS handshake")
            except ssl.SSLError as error:
                raise TransferError(f"TLS handshake failed: {error.reason or error}") from error
            else:
                self._flush()
                cipher = self._tls.cipher()
                return self._tls.version() or "", cipher[0] if cipher else ""

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        self._tls.write(data)
        self._flush()

    def read(self) -> memoryview:
        """Return some decrypted bytes, valid until the next call; empty at the end."""
        while True:
            try:
                count: int = self._tls.read(_RECORD_BYTES, self._buffer)  # type: ignore[assignment]  # into a buffer
            except ssl.SSLWantReadError:
                self._flush()
                self._fill(None)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                # With or without close_notify: the header says how long the answer is, so nothing can be cut unseen.
                return self._view[:0]
            except ssl.SSLError as error:
                raise TransferError(f"TLS failed: {error.reason or error}") from error
            else:
                return self._view[:count]

    def _fill(self, closed_error: str | None) -> None:
        data = self._connection.receive()
        if data:
            self._keep("down", bytes(data))
            self._incoming.write(data)
        elif closed_error:
            raise TransferError(closed_error)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._keep("up", data)
            self._connection.send(data)

    def _keep(self, direction: str, data: bytes) -> None:
        if self._keeps:
            self.pieces.append(Message(direction, data))
