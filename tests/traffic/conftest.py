"""What the tests of clients share: a log to look at, and a server with a certificate for localhost."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from testbed.engine.prepare.origin_key import origin_key
from testbed.records.jsonl import LineWriter, read_lines
from testbed.traffic.authority import CertificateAuthority
from testbed.traffic.log import TransferLog
from testbed.traffic.origin_server import OriginServer, serve_origin
from testbed.traffic.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCALHOST = "127.0.0.1"
StartOrigin = Callable[..., int]


class KeptLog:
    """A transfer's log, and what it wrote."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.log = TransferLog(LineWriter(path), transfer="t", side="client", start_ns=0)

    def records(self, event: str | None = None) -> list[dict[str, Any]]:
        self.log.flush()
        return [each for each in read_lines(self._path) if event in {None, each["event"]}]

    def events(self) -> list[str]:
        """Names of the events in order, without samples of TCP_INFO."""
        return [each["event"] for each in self.records() if each["event"] != "tcp_info"]


def asked(
    port: int, authority: CertificateAuthority, folder: Path, *, path: str, host: str = "localhost", **more: Any
) -> Request:
    """Return a request of a server on this machine."""
    given = {"timeout_s": 20.0, **more}
    address = (LOCALHOST, port)
    return Request(
        host=host, address=address, path=path, ca=authority.certificate, key_log=folder / "secrets.txt", **given
    )


@pytest.fixture
def kept(tmp_path: Path) -> KeptLog:
    return KeptLog(tmp_path / "measurements.jsonl")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """A CA, and beside it ``certificate.pem`` and ``key.pem`` for localhost."""
    folder = tmp_path_factory.mktemp("ca")
    (folder / "origin.key").write_text(origin_key())
    made = CertificateAuthority(folder, folder / "origin.key", seed=1, start_ns=time.time_ns())
    made.issue(["localhost"], None, folder)
    return made


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Start a server that does something with one connection; the port."""
    threads = []

    def start(answer: Callable[[socket.socket], None]) -> int:
        listening = socket.create_server((LOCALHOST, 0))
        listening.settimeout(20)

        def work() -> None:
            with listening:
                accepted, _ = listening.accept()
                accepted.settimeout(20)
                with accepted:
                    answer(accepted)

        port: int = listening.getsockname()[1]
        thread = threading.Thread(target=work)
        thread.start()
        threads.append(thread)
        return port

    yield start
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def serve_https(
    serve: Callable[[Callable[[socket.socket], None]], int], authority: CertificateAuthority
) -> Callable[[bytes], int]:
    """Start a server that takes one request over TLS and answers with given bytes; the port."""
    folder = authority.certificate.parent

    def start(response: bytes) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")

        def answer(accepted: socket.socket) -> None:
            try:
                with context.wrap_socket(accepted, server_side=True) as session:
                    request = b""
                    while b"\r\n\r\n" not in request:
                        request += session.recv(4096)
                    session.sendall(response)
            except (ssl.SSLError, OSError):
                return  # the client did not like us

        return serve(answer)

    return start


@pytest.fixture
def start_origin(authority: CertificateAuthority, tmp_path: Path) -> Iterator[StartOrigin]:
    """Start our own origin with objects (name to bytes) and settings; its port of HTTPS."""
    (tmp_path / "www").mkdir()
    for name in ("certificate.pem", "key.pem"):
        (tmp_path / name).write_bytes((authority.certificate.parent / name).read_bytes())
    threads = []
    ending, end = os.pipe()

    def start(objects: dict[str, bytes], **settings: Any) -> int:
        for name, content in objects.items():
            (tmp_path / "www" / name).write_bytes(content)
        with socket.create_server(("", 0)) as first, socket.create_server(("", 0)) as second:
            ports: tuple[int, int] = (first.getsockname()[1], second.getsockname()[1])
        listens = threading.Event()
        server = OriginServer(folder=tmp_path, **settings)
        serving = threading.Thread(
            target=lambda: serve_origin(server, ready=listens.set, ending=ending, ports=ports), daemon=True
        )
        serving.start()
        threads.append(serving)
        assert listens.wait(20)
        return ports[0]

    yield start
    os.write(end, b".")
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    os.close(ending)
    os.close(end)
