"""HTTP for the classroom page: the page's files, server-sent events, and what its buttons ask for.

Only who knows a random token in the address is served. Of the two tokens the teacher's may start runs and reveal, the
class's may look and vote. A page of somebody else cannot use them: the Host header has to be one of ours, which a name
that was rebound to this machine is not, and whatever changes something needs our own Origin.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING

from testbed.demo.page import LIVE, page_file, page_html
from testbed.demo.scene import Choice
from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.demo.session import Session

__all__ = ["DemoServer", "is_loopback"]

_MOST_BODY_BYTES = 4096
_MOST_LISTENERS = 200  # browsers at once; each has a thread
_SILENCE_S = 30.0  # of a browser that takes nothing
_KINDS = {"css": "text/css", "html": "text/html", "js": "text/javascript"}
_FILES = {"demo.css": _KINDS["css"], "demo.js": _KINDS["js"]}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'"
)
_NOT_OURS = "This is not the address of the demonstration that runs here now. Use the one that the terminal shows.\n"
_TEACHERS = frozenset({"start", "stop", "reveal"})


def is_loopback(address: str) -> bool:
    """Whether an address is one that other machines cannot reach."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


class DemoServer(ThreadingHTTPServer):
    """Serves one session.

    Args:
        session: Whose runs are shown.
        address, port: To listen on; port 0 is any that is free.
        recorded: Files of recorded runs, by name (`testbed.demo.recorded.site`).

    Raises:
        InputError: The port is taken, or the address is none of this machine.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, session: Session, *, address: str, port: int, recorded: Mapping[str, bytes] | None = None
    ) -> None:
        self.session = session
        self.recorded = recorded or {}
        # the class types its own by hand, and can do less with it
        self.teacher, self.pupil = secrets.token_urlsafe(12), secrets.token_urlsafe(6)
        self.listeners = 0
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            super().__init__((address, port), _Handler)
        except OSError as error:
            raise InputError(
                f"--address {address} --port {port}: {error.strerror}; another demonstration may run there: "
                "end it, or let --port 0 find a free port"
            ) from error
        shown = f"[{address}]" if ":" in address else address
        self.hosts = {f"{host}:{self.server_port}" for host in (shown, "localhost", "127.0.0.1", "[::1]")}
        if not is_loopback(address):
            self.hosts |= {f"{host}:{self.server_port}" for host in _own_addresses()}
        self.shown = f"{shown}:{self.server_port}"

    def url(self, token: str) -> str:
        """Return the page's address for who has a token."""
        return f"http://{self.shown}/{token}/"


def _own_addresses() -> set[str]:
    """Return the name of this machine and the addresses that it resolves to: under these the class comes."""
    name = socket.gethostname()
    found = {name}
    with contextlib.suppress(OSError):  # a machine without a name of its own: its address can be given with --address
        found |= {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    return {f"[{each}]" if ":" in each else each for each in found}


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: DemoServer
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE_S
    server_version, sys_version = "testbed-demo", ""

    def do_GET(self) -> None:
        """Give the page, one of its files, or the stream of events."""
        name = self._asked_for()
        if name is None:
            return
        if name == "":
            self._give(page_html(LIVE), "text/html")
        elif name in _FILES:
            self._give(page_file(name), _FILES[name])
        elif name == "events":
            self._stream()
        elif name.removeprefix("recorded/") in self.server.recorded and name.startswith("recorded/"):
            own = name.removeprefix("recorded/")
            self._give_bytes(self.server.recorded[own], _KINDS[own.rpartition(".")[2]])
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such file")

    def do_POST(self) -> None:
        """Do what a button asks for."""
        name = self._asked_for()
        if name is None:
            return
        origin = self.headers.get("Origin", "")
        if origin.removeprefix("http://") not in self.server.hosts or not origin.startswith("http://"):
            self._refuse(HTTPStatus.FORBIDDEN, "the request comes from a page that is not ours")
            return
        if name in _TEACHERS and not self._is_teacher:
            self._refuse(HTTPStatus.FORBIDDEN, "only the teacher's address can do that")
            return
        try:
            self._do(name, self._body())
        except InputError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._give(json.dumps({"ok": True}), "application/json")

    def log_message(self, *_: object) -> None:
        """Say nothing: a request every moment would hide what the terminal has to show."""

    def _do(self, name: str, body: dict[str, object]) -> None:
        session = self.server.session
        match name:
            case "start":
                session.start(Choice.of(body))
            case "stop":
                session.stop()
            case "reveal":
                session.reveal()
            case "vote":
                session.vote(str(body.get("voter"))[:64], body.get("vote"))
            case _:
                raise InputError(f"{name}: no such action")

    def _asked_for(self) -> str | None:
        """Return what is asked for behind the token; None, and say so, if host or token are not ours."""
        if self.headers.get("Host", "") not in self.server.hosts:
            self._refuse(
                HTTPStatus.FORBIDDEN, "the Host header names another machine; use the address that the terminal shows"
            )
            return None
        _, token, *rest = [*self.path.partition("?")[0].split("/"), ""]
        # Both are compared, always in the same time: the answer tells nothing of how much was right.
        known = [
            hmac.compare_digest(token.encode(), each.encode()) for each in (self.server.teacher, self.server.pupil)
        ]
        if not any(known):
            self._refuse(HTTPStatus.NOT_FOUND, _NOT_OURS)
            return None
        self._is_teacher = known[0]
        return "/".join(rest).strip("/")

    def _body(self) -> dict[str, object]:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _MOST_BODY_BYTES:
            # what it has is not read, and would be taken for the next request
            self.close_connection = True
            raise InputError(f"the request has more than {_MOST_BODY_BYTES} bytes")
        try:
            body = json.loads(self.rfile.read(int(length)) or b"{}")
        except (ValueError, RecursionError) as error:
            raise InputError(f"the request is no JSON: {error}") from error
        if not isinstance(body, dict):
            raise InputError("the request is no JSON object")
        return body

    def _stream(self) -> None:
        if self.server.listeners >= _MOST_LISTENERS:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, f"more than {_MOST_LISTENERS} browsers look on")
            return
        self.server.listeners += 1
        self.close_connection = True
        try:
            self._headers("text/event-stream", None)
            hello = json.dumps(
                {"kind": "hello", "teacher": self._is_teacher, "class": self.server.url(self.server.pupil)}
            )
            self.wfile.write(f"retry: 1000\ndata: {hello}\n\n".encode())
            for message in self.server.session.messages():
                self.wfile.write(f"data: {message}\n\n".encode())
        except OSError:
            pass  # the browser is gone; when it comes back it is told everything again
        finally:
            self.server.listeners -= 1

    def _give(self, text: str, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._give_bytes(text.encode(), kind, status)

    def _give_bytes(self, data: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._headers(kind, len(data), status)
        self.wfile.write(data)

    def _headers(self, kind: str, length: int | None, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in (
            ("Content-Security-Policy", _POLICY), ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._give(why, "text/plain", status)
