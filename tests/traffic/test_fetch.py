"""The measuring client against a server on this machine: every way in which it can go, in a user's words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.connection import TransferError
from testbed.traffic.fetch import _content_length, fetch, upload
from tests.traffic.conftest import KeptLog, asked

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.traffic.authority import CertificateAuthority
    from testbed.traffic.recording import Recording

ServeHttps = Callable[[bytes], int]
Serve = Callable[[Callable[[socket.socket], None]], int]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"


@dataclass(frozen=True)
class Client:
    """The measuring client, with a log and a folder of its own."""

    kept: KeptLog
    authority: CertificateAuthority
    folder: Path

    def fetch(self, port: int, *, host: str = "localhost") -> Recording:
        request = asked(port, self.authority, self.folder, host=host, path="/10.bin")
        return fetch(request, self.kept.log)


@pytest.fixture
def client(kept: KeptLog, authority: CertificateAuthority, tmp_path: Path) -> Client:
    return Client(kept, authority, tmp_path)


def test_a_fetch_notes_every_step_and_every_byte(serve_https: ServeHttps, client: Client) -> None:
    recording = client.fetch(serve_https(OK))
    events = client.kept.events()
    assert events[:3] == ["started", "connected", "handshake"]
    assert set(events[3:]) == {"bytes"}
    assert client.kept.records("bytes")[-1]["totals"][-1] == 10
    assert client.kept.records("handshake")[0]["version"] == "TLSv1.3"
    assert recording.sni == "localhost"
    assert [each.direction for each in recording.messages][:2] == ["up", "down"]
    assert b"localhost" in recording.messages[0].payload


def test_the_secrets_of_the_session_are_kept(serve_https: ServeHttps, client: Client) -> None:
    client.fetch(serve_https(OK))
    assert "CLIENT_TRAFFIC_SECRET_0" in (client.folder / "secrets.txt").read_text()


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "the server answered 'HTTP/1.1 404 Not Found'"),
        (b"\x1b[2Jgarbage\r\n\r\n", r"the server answered '\\x1b\[2Jgarbage'"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "the server did not say how long its answer is"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "the server did not say how long its answer is"),
        (OK[:-7], "the server closed the connection after 3 of 10 bytes"),
        (OK[:20], "the server closed the connection before its answer was complete"),
        (b"", "the server closed the connection before its answer was complete"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "the server's header has no end"),
    ],
    ids=[
        "404",
        "control characters",
        "no length",
        "wrong length",
        "cut body",
        "cut header",
        "nothing",
        "endless header",
    ],
)
def test_a_wrong_answer_is_a_failed_transfer(
    serve_https: ServeHttps,
    client: Client,
    response: bytes,
    problem: str,
) -> None:
    port = serve_https(response)
    with pytest.raises(TransferError, match=problem):
        client.fetch(port)
    assert "handshake" in client.kept.events()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda peer: peer.close(), "receiving failed|the server closed the connection during the TLS handshake"),
        (lambda peer: (peer.recv(9), peer.sendall(b"HTTP/1.1 400 Bad\r\n")), "TLS handshake failed: |receiving failed"),
        (lambda peer: (peer.recv(9999), peer.shutdown(1)), "the server closed the connection during the TLS handshake"),
    ],
    ids=["closes", "speaks plain HTTP", "reads and closes"],
)
def test_a_server_without_tls_is_a_failed_transfer(
    serve: Serve,
    client: Client,
    answer: Callable[[socket.socket], None],
    problem: str,
) -> None:
    port = serve(answer)
    with pytest.raises(TransferError, match=problem):
        client.fetch(port)
    assert "handshake" not in client.kept.events()


def test_a_certificate_for_another_name_is_refused(serve_https: ServeHttps, client: Client) -> None:
    port = serve_https(OK)
    with pytest.raises(TransferError, match="TLS handshake failed: CERTIFICATE_VERIFY_FAILED"):
        client.fetch(port, host="twitter.com")


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10", 10),
        (b"HTTP/1.0 200\r\ncontent-length:10", 10),
        (b"HTTP/1.1 200 OK\r\nServer: x\r\nCONTENT-LENGTH:   383000 ", 383_000),
    ],
)
def test_the_length_is_found_whatever_its_spelling(header: bytes, length: int) -> None:
    assert _content_length(header) == length


@given(st.binary(max_size=80))
def test_any_header_has_a_length_or_is_a_failed_transfer(header: bytes) -> None:
    try:
        assert _content_length(b"HTTP/1.1 200 OK\r\n" + header) >= 0
    except TransferError as error:
        assert str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize("size", [1, 16_384, 50_000])
def test_an_upload_sends_so_many_bytes_and_waits_for_the_answer(
    serve: Serve, authority: CertificateAuthority, kept: KeptLog, tmp_path: Path, size: int
) -> None:
    folder = authority.certificate.parent
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    came = bytearray()

    def answer(accepted: socket.socket) -> None:
        with context.wrap_socket(accepted, server_side=True) as session:
            while len(came.partition(b"\r\n\r\n")[2]) < size:
                came.extend(session.recv(9999))
            session.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    upload(asked(serve(answer), authority, tmp_path, path="/upload/t"), kept.log, size=size)
    assert bytes(came).startswith(b"POST /upload/t HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % size)
    assert len(came.partition(b"\r\n\r\n")[2]) == size
    assert kept.events() == ["started", "connected", "handshake"]


def test_an_upload_that_is_refused_is_a_failed_transfer(
    serve_https: ServeHttps, authority: CertificateAuthority, kept: KeptLog, tmp_path: Path
) -> None:
    port = serve_https(b"HTTP/1.1 405 Not Allowed\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(TransferError, match=r"the server answered 'HTTP/1\.1 405 Not Allowed'"):
        upload(asked(port, authority, tmp_path, path="/upload/t"), kept.log, size=0)
