"""An origin whose end is a condition of the experiment: it thinks, sends at a rate of its own, or takes uploads.

nginx is the server of every other origin. It cannot stand in here: its ``limit_rate`` sends a burst and waits, which a
client sees as a saw; it knows no time before the first byte, and does not tell how an upload came.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testbed.traffic.pace import Pace, set_send_buffer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from testbed.traffic.log import TransferLog

__all__ = ["OriginServer", "serve_origin"]

HTTP, HTTPS = 80, 443
_IDLE_S = 75.0  # how long a connection may be silent, as nginx has it
_MAX_HEAD_BYTES = 65_536
_RECORD_BYTES = 16_384  # the most that a TLS record holds
_LEAST_PIECE_BYTES = 1400  # with what TLS adds it fills one segment: smaller ones would only cost headers
_PIECE_S = 0.005  # of a fast body: at 20 Mbit/s nine segments at a time
_BITS = 8
_GREETING = b"an origin of the throttling testbed\n"


@dataclass(frozen=True, slots=True)
class _Request:
    """The head of a request: what matters of it. ``length`` is that of the body that follows."""

    method: str
    path: str
    length: int
    goes_on: bool


class _Reader:
    """What comes from a client: heads of requests, and their bodies."""

    def __init__(self, session: socket.socket) -> None:
        self._session = session
        self._pending = b""

    def request(self) -> _Request | None:
        """Return the next request; None: the client is done, or makes no sense."""
        while b"\r\n\r\n" not in self._pending:
            data = self._session.recv(_RECORD_BYTES)
            if not data or len(self._pending) > _MAX_HEAD_BYTES:
                return None
            self._pending += data
        head, _, self._pending = self._pending.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
        method, _, target = line.partition(" ")
        length = fields.get("content-length", "0")
        # isascii: isdecimal alone takes digits of other scripts, as a server must not.
        if not (length.isascii() and length.isdecimal()) or "transfer-encoding" in fields:
            return None
        goes_on = fields.get("connection", "").lower() != "close"
        return _Request(method, target.partition(" ")[0], int(length), goes_on)

    def skip(self, length: int, log: TransferLog | None) -> bool:
        """Take a body and keep nothing of it but its count; return whether it was complete.

        Args:
            length: Of the body, bytes.
            log: Is told how much has come by when; None: nobody wants to know.
        """
        taken = 0
        while taken < length:
            data = self._pending or self._session.recv(_RECORD_BYTES)
            if not data:
                return False
            count = min(len(data), length - taken)
            self._pending = data[count:]
            taken += count
            if log is not None:
                log.received(log.now(), taken)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginServer:
    """What an origin needs to know.

    Attributes:
        folder: With ``certificate.pem``, ``key.pem`` and the objects below ``www``.
        rate_bps: Of a body, on each connection; None: as fast as TCP takes it.
        think_s: Between a request and the first byte of its answer.
        send_buffer: Of each connection, bytes; None: the kernel's, which grows.
        uploads: Path to the log of the upload that comes there. Others are taken, and nothing is written down.
    """

    folder: Path
    rate_bps: int | None = None
    think_s: float = 0.0
    send_buffer: int | None = None
    uploads: Mapping[str, TransferLog] = field(default_factory=dict)

    def listen(self, port: int) -> socket.socket:
        """Return a listening socket; what is set on it holds for the connections that it takes."""
        listening = socket.create_server(("", port), backlog=511)  # nginx's backlog
        if self.send_buffer is not None:
            set_send_buffer(listening, self.send_buffer)
        return listening

    def context(self) -> ssl.SSLContext:
        """Return the TLS of the origin, with the versions that nginx is given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.folder / "certificate.pem", self.folder / "key.pem")
        return context

    def serve(self, accepted: socket.socket, context: ssl.SSLContext | None) -> None:
        """Answer the requests of a connection until either end has enough. What goes wrong is for the client to tell.

        Args:
            accepted: Closed at the end.
            context: Of TLS; None: plain HTTP.
        """
        accepted.settimeout(_IDLE_S)
        # Each piece leaves when its time has come: Nagle would hold it back for the acknowledgement of the one before.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), accepted:
            session = accepted if context is None else context.wrap_socket(accepted, server_side=True)
            with session:
                reader = _Reader(session)
                while (request := reader.request()) is not None and self._answer(session, reader, request):
                    pass

    def _answer(self, session: socket.socket, reader: _Reader, request: _Request) -> bool:
        """Answer one request; return whether the connection goes on."""
        method, path, goes_on = request.method, request.path, request.goes_on
        if not reader.skip(request.length, self.uploads.get(path)):
            return False
        if self.think_s:
            time.sleep(self.think_s)
        # The path is looked up, never opened as it is: whoever asks for /../key.pem is told that there is none.
        found = {f"/{each.name}": each for each in (self.folder / "www").iterdir()}.get(path)
        if method == "POST":
            _send_head(session, "200 OK", 0, goes_on=goes_on)
        elif method not in {"GET", "HEAD"}:
            _send_head(session, "405 Not Allowed", 0, goes_on=goes_on)
        elif path == "/":
            _send_head(session, "200 OK", len(_GREETING), goes_on=goes_on)
            session.sendall(b"" if method == "HEAD" else _GREETING)
        elif found is None:
            _send_head(session, "404 Not Found", 0, goes_on=goes_on)
        else:
            _send_head(session, "200 OK", found.stat().st_size, goes_on=goes_on)
            if method == "GET":
                self._send_body(session, found)
        return goes_on

    def _send_body(self, session: socket.socket, path: Path) -> None:
        with path.open("rb") as body:
            if self.rate_bps is None:
                while piece := body.read(_RECORD_BYTES):
                    session.sendall(piece)
                return
            size = min(max(round(self.rate_bps / _BITS * _PIECE_S), _LEAST_PIECE_BYTES), _RECORD_BYTES)
            pace = Pace(self.rate_bps, time.monotonic())
            while piece := body.read(size):
                if delay := pace.delay(time.monotonic()):
                    time.sleep(delay)
                session.sendall(piece)
                pace.spend(len(piece), time.monotonic())


def serve_origin(
    server: OriginServer, *, ready: Callable[[], None], ending: int, ports: tuple[int, int] = (HTTPS, HTTP)
) -> None:
    """Take connections until it is to end, each in a thread of its own.

    Args:
        server: What it is.
        ready: Called once it listens.
        ending: A descriptor that is readable once it is to end.
        ports: Of HTTPS and of HTTP.
    """
    contexts: dict[int, tuple[socket.socket, ssl.SSLContext | None]] = {}
    with server.listen(ports[0]) as https, server.listen(ports[1]) as http:
        contexts = {https.fileno(): (https, server.context()), http.fileno(): (http, None)}
        poll = select.poll()
        for descriptor in (ending, *contexts):
            poll.register(descriptor, select.POLLIN)
        ready()
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == ending:
                    return
                listening, context = contexts[descriptor]
                accepted, _ = listening.accept()
                threading.Thread(target=server.serve, args=(accepted, context), daemon=True).start()


def _send_head(session: socket.socket, status: str, length: int, *, goes_on: bool) -> None:
    connection = "keep-alive" if goes_on else "close"
    fields = f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\nConnection: {connection}"
    session.sendall(f"HTTP/1.1 {status}\r\nServer: testbed\r\n{fields}\r\n\r\n".encode())
