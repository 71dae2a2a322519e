"""An origin whose end is a condition of the experiment: it thinks, sends at a rate of its own, or takes uploads.

nginx is the server of every other origin. It cannot stand in here: its ``limit_rate`` sends a burst and waits, which a
client sees as a saw; it knows no time before the first byte, and does not tell how an upload came. HTTP itself is that
of Python's own server.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from random import Random
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING

from testbed.traffic.origin import find_object
from testbed.traffic.pace import Pace, set_pacing, set_send_buffer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from testbed.traffic.log import TransferLog

__all__ = ["OriginServer", "serve_origin"]

HTTP, HTTPS = 80, 443
_HTTP2 = "h2"  # its name in ALPN
_IDLE_S = 75.0  # how long a connection may be silent, as nginx has it
_BACKLOG = 511  # nginx's
_RECORD_BYTES = 16_384  # the most that a TLS record holds
_LEAST_PIECE_BYTES = 1400  # with what TLS adds it fills one segment: smaller ones would only cost headers
_PIECE_S = 0.005  # of a fast body: at 20 Mbit/s nine segments at a time
_BITS = 8
_LINE_END = b"\r\n"
_LONGEST_LINE = 65_536  # bytes, as http.server has it
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")  # its size, and extensions that nobody needs
_GREETING = b"an origin of the throttling testbed\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginServer:
    """What an origin needs to know.

    Attributes:
        folder: With ``certificate.pem``, ``key.pem`` and the objects below ``www``.
        rate_bps: Of a body, on each connection; None: as fast as TCP takes it.
        think_s: Between a request and the first byte of its answer.
        think_sigma: Spread of that, as the standard deviation of its logarithm.
        think_seed: Of the spread's draws.
        send_buffer: Of each connection, bytes; None: the kernel's, which grows.
        pacing_bps: At which TCP spaces the segments of each connection; None: as its congestion control has it.
        uploads: Path to the log of the upload that comes there. Others are taken, and nothing is written down.
        has_ipv6: Whether it listens on IPv6 as well.
        http2: Serves a connection whose client has chosen HTTP/2; None: the origin does not speak it.
    """

    folder: Path
    rate_bps: int | None = None
    think_s: float = 0.0
    think_sigma: float = 0.0
    think_seed: int = 0
    send_buffer: int | None = None
    pacing_bps: int | None = None
    uploads: Mapping[str, TransferLog] = field(default_factory=dict)
    has_ipv6: bool = False
    http2: Callable[[ssl.SSLSocket, OriginServer, Callable[[], float]], None] | None = None

    def context(self) -> ssl.SSLContext:
        """Return the TLS of the origin, with the versions that nginx is given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.folder / "certificate.pem", self.folder / "key.pem")
        if self.http2 is not None:
            context.set_alpn_protocols([_HTTP2, "http/1.1"])
        return context

    def answer(self, method: str, path: str) -> tuple[HTTPStatus, Path | bytes]:
        """Return the status and the body of the answer to a request: a file, or the bytes themselves."""
        if method == "POST":
            return HTTPStatus.OK, b""
        if method not in {"GET", "HEAD"}:  # as nginx says of an object
            return HTTPStatus.METHOD_NOT_ALLOWED, b""
        found = find_object(self.folder, path)
        if found is not None:
            return HTTPStatus.OK, found
        return (HTTPStatus.OK, _GREETING) if path.partition("?")[0] == "/" else (HTTPStatus.NOT_FOUND, b"")

    def piece_bytes(self, most: int) -> int:
        """Return how much of a body to send at once, ``most`` at most."""
        if self.rate_bps is None:
            return most
        return min(max(round(self.rate_bps / _BITS * _PIECE_S), _LEAST_PIECE_BYTES), most)


class _Listener(ThreadingTCPServer):
    """One port of an origin; a thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = _BACKLOG

    def __init__(
        self, origin: OriginServer, port: int, context: ssl.SSLContext | None, family: socket.AddressFamily
    ) -> None:
        """Listen. ``context``: of TLS; None: plain HTTP."""
        self.address_family = family
        self.origin = origin
        self.context = context
        self._drawing = threading.Lock()
        self._spread = Random(origin.think_seed)  # noqa: S311 - a condition of the experiment, not a secret
        super().__init__(("", port), _Connection)

    def next_think_s(self) -> float:
        """Return how long the origin thinks about the next request."""
        if not self.origin.think_sigma:
            return self.origin.think_s
        with self._drawing:
            return self.origin.think_s * self._spread.lognormvariate(0, self.origin.think_sigma)

    def server_bind(self) -> None:
        """Set buffer and pacing before: they hold for the connections that are taken. IPv4 is another listener's."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if self.origin.send_buffer is not None:
            set_send_buffer(self.socket, self.origin.send_buffer)
        if self.origin.pacing_bps is not None:
            set_pacing(self.socket, self.origin.pacing_bps)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, object]:
        """Take a connection. Its TLS begins with what its own thread reads first: one that is silent stops no other."""
        accepted, peer = super().get_request()
        if self.context is not None:
            accepted = self.context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        return accepted, peer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a connection that failed: what went wrong is for the client to tell."""


class _Connection(BaseHTTPRequestHandler):
    """The requests of one connection, one after the other."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "testbed", ""
    timeout = _IDLE_S
    # Each piece leaves when its time has come: Nagle would hold it back for the acknowledgement of the one before.
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Serve by HTTP/2 who has chosen it, and everybody else by HTTP/1.1."""
        origin = self.server.origin
        if origin.http2 is not None and isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()
            if self.connection.selected_alpn_protocol() == _HTTP2:
                origin.http2(self.connection, origin, self.server.next_think_s)
                return
        super().handle()

    def do_GET(self) -> None:
        """Take a request of any method, and answer it."""
        if not self._takes_request():
            return
        status, content = self.server.origin.answer(self.command, self.path)
        if isinstance(content, bytes):
            self._send_head(status, len(content))
            self.wfile.write(content if self.command != "HEAD" else b"")
            return
        self._send_head(status, content.stat().st_size)
        if self.command != "HEAD":
            self._send_body(content)

    do_HEAD = do_POST = do_GET  # noqa: N815 - http.server looks methods up by these names
    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - http.server's signature
        """Write nothing: what counts is in the captures and in the client's records."""

    def _takes_request(self) -> bool:
        """Take the body of a request, keep nothing of it but its count, and think; False: the connection is over."""
        if not self._takes_body(self.server.origin.uploads.get(self.path)):
            self.close_connection = True
            return False
        if self.server.origin.think_s:
            time.sleep(self.server.next_think_s())
        return True

    def _takes_body(self, log: TransferLog | None) -> bool:
        """Return whether a body came whole (RFC 9112, section 6.3). ``log`` is told how much of it has come by when."""
        coding = self.headers.get("Transfer-Encoding")
        length = self.headers.get("Content-Length", "0" if coding is None else "").strip()
        if coding is None:
            # isascii: isdecimal alone takes digits of other scripts, as a server must not.
            return length.isascii() and length.isdecimal() and self._skip(int(length), log)
        return not length and coding.strip().lower() == "chunked" and self._skip_chunks(log)

    def _skip_chunks(self, log: TransferLog | None) -> bool:
        """Take chunks and what trails them (RFC 9112, section 7.1); return whether they were complete."""
        taken = 0
        while size := self._chunk_size():
            if not self._skip(size, log, before=taken) or self.rfile.read(2) != _LINE_END:
                return False
            taken += size
        while size is not None:
            line = self.rfile.readline(_LONGEST_LINE)
            if line == _LINE_END:
                return True
            if not line.endswith(_LINE_END):
                return False
        return False

    def _chunk_size(self) -> int | None:
        """Read a chunk's first line; None: it is none."""
        line = self.rfile.readline(_LONGEST_LINE)
        size = _CHUNK.fullmatch(line)
        return None if size is None else int(size[1], 16)

    def _skip(self, length: int, log: TransferLog | None, *, before: int = 0) -> bool:
        """Take so many bytes of a body, of which some came before; return whether they all came."""
        taken = 0
        while taken < length:
            data = self.rfile.read1(min(length - taken, _RECORD_BYTES))
            if not data:
                return False
            taken += len(data)
            if log is not None:
                log.received(log.now(), before + taken)
        return True

    def _send_head(self, status: HTTPStatus, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close" if self.close_connection else "keep-alive")
        self.end_headers()

    def _send_body(self, path: Path) -> None:
        rate_bps = self.server.origin.rate_bps
        with path.open("rb") as body:
            if rate_bps is None:
                while piece := body.read(_RECORD_BYTES):
                    self.wfile.write(piece)
                return
            size = self.server.origin.piece_bytes(_RECORD_BYTES)
            pace = Pace(rate_bps, time.monotonic())
            while piece := body.read(size):
                if delay := pace.delay(time.monotonic()):
                    time.sleep(delay)
                self.wfile.write(piece)
                pace.spend(len(piece), time.monotonic())


def serve_origin(
    origin: OriginServer, *, ready: Callable[[], None], ending: int, ports: tuple[int, int] = (HTTPS, HTTP)
) -> None:
    """Take connections until it is to end, each in a thread of its own.

    Args:
        origin: What it is.
        ready: Called once it listens.
        ending: A descriptor that is readable once it is to end.
        ports: Of HTTPS and of HTTP.
    """
    context = origin.context()
    families = [socket.AF_INET, *([socket.AF_INET6] if origin.has_ipv6 else [])]
    with contextlib.ExitStack() as opened:
        listeners = {
            each.fileno(): opened.enter_context(each)
            for family in families
            for each in (_Listener(origin, ports[0], context, family), _Listener(origin, ports[1], None, family))
        }
        poll = select.poll()
        for descriptor in (ending, *listeners):
            poll.register(descriptor, select.POLLIN)
        ready()
        # Not serve_forever: that looks up from its wait twice a second, and idle time would cost something.
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == ending:
                    return
                listeners[descriptor].handle_request()
