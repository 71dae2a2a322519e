"""The testbed's own origin: what it answers, when, and how fast."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from tests.traffic.conftest import LOCALHOST, KeptLog, StartOrigin

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.traffic.authority import CertificateAuthority

OBJECT = bytes(range(256)) * 400  # 102,400 bytes


@pytest.fixture
def origin(start_origin: StartOrigin, authority: CertificateAuthority) -> Callable[..., http.client.HTTPSConnection]:
    """Start an origin with settings; a client that is connected to it."""

    def start(**settings: object) -> http.client.HTTPSConnection:
        port = start_origin({"102400.bin": OBJECT}, **settings)
        context = ssl.create_default_context(cafile=str(authority.certificate))
        made = http.client.HTTPSConnection("localhost", port, timeout=20, context=context)
        made.connect()
        return made

    return start


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/102400.bin", 200, OBJECT),
        ("HEAD", "/102400.bin", 200, b""),
        ("GET", "/", 200, b"an origin of the throttling testbed\n"),
        ("GET", "/nosuch.bin", 404, b""),
        ("GET", "/../key.pem", 404, b""),
        ("DELETE", "/102400.bin", 405, b""),
        ("POST", "/anything", 200, b""),
    ],
)
def test_it_answers_as_a_server_does(
    origin: Callable[..., http.client.HTTPSConnection], method: str, path: str, status: int, body: bytes
) -> None:
    client = origin()
    for _ in range(2):  # on one connection
        client.request(method, path)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (status, body)
    client.close()


def test_it_thinks_before_the_first_byte_and_sends_at_its_rate(
    origin: Callable[..., http.client.HTTPSConnection],
) -> None:
    client = origin(think_s=0.2, rate_bps=2_000_000)
    began = time.monotonic()
    client.request("GET", "/102400.bin")
    answer = client.getresponse()
    assert time.monotonic() - began >= 0.2
    answer.read()
    # No faster; how much slower is the machine's affair. The guest's clock stands still meanwhile: tests/engine.
    assert time.monotonic() - began >= 0.2 + 0.95 * len(OBJECT) * 8 / 2_000_000
    client.close()


def test_a_client_that_makes_no_sense_is_no_end_of_the_server(
    origin: Callable[..., http.client.HTTPSConnection],
) -> None:
    client = origin()
    with socket.create_connection((LOCALHOST, client.port)) as stranger:
        stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
        stranger.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            while stranger.recv(4096):
                pass
    client.request("GET", "/102400.bin")
    assert client.getresponse().read() == OBJECT
    client.close()


def test_an_upload_is_counted_as_it_comes_and_the_connection_goes_on(
    origin: Callable[..., http.client.HTTPSConnection], kept: KeptLog
) -> None:
    client = origin(uploads={"/upload/t": kept.log})
    client.request("POST", "/upload/t", body=OBJECT)
    assert client.getresponse().read() == b""
    client.request("POST", "/upload/other", body=OBJECT)  # nobody's: taken, and not written down
    assert client.getresponse().read() == b""
    client.close()
    totals = [total for each in kept.records("bytes") for total in each["totals"]]
    assert len(totals) >= len(OBJECT) / 16_384
    assert totals == sorted(totals)
    assert totals[-1] == len(OBJECT)


def test_an_upload_in_chunks_is_counted_without_their_heads(
    origin: Callable[..., http.client.HTTPSConnection], kept: KeptLog
) -> None:
    client = origin(uploads={"/upload/t": kept.log})
    pieces = [OBJECT[start : start + 30_000] for start in range(0, len(OBJECT), 30_000)]
    client.request("PUT", "/upload/t", body=iter(pieces), headers={"Transfer-Encoding": "chunked"}, encode_chunked=True)
    assert client.getresponse().read() == b""
    client.sock.sendall(
        b"POST /upload/other HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b'2 ;note="5"\r\nab\r\n0A\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n'
    )
    assert client.sock.recv(100).startswith(b"HTTP/1.1 200 ")
    client.close()
    totals = [total for each in kept.records("bytes") for total in each["totals"]]
    assert totals == sorted(totals)
    assert totals[-1] == len(OBJECT)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Transfer-Encoding: chunked", "-1\r\n"),
        ("Transfer-Encoding: chunked", "0x2\r\nab\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "\r\n"),
        ("Transfer-Encoding: chunked", "2\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "f" * 16 + "\r\n"),
        ("Transfer-Encoding: chunked", "0\r\n" + "x" * 70_000),
        ("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),  # what smuggles requests
    ],
)
def test_chunks_that_are_none_end_the_connection(
    origin: Callable[..., http.client.HTTPSConnection], head: str, body: str
) -> None:
    client = origin()
    client.sock.sendall(f"POST / HTTP/1.1\r\n{head}\r\n\r\n{body}".encode())
    with contextlib.suppress(ConnectionResetError):
        assert client.sock.recv(100) == b""
    client.close()


def test_of_an_upload_that_is_cut_off_the_part_that_came_is_known(
    origin: Callable[..., http.client.HTTPSConnection], kept: KeptLog
) -> None:
    client = origin(uploads={"/upload/t": kept.log})
    client.putrequest("POST", "/upload/t")
    client.putheader("Content-Length", str(len(OBJECT)))
    client.endheaders(OBJECT[:1000])
    client.sock.shutdown(socket.SHUT_RDWR)
    client.close()
    deadline = time.monotonic() + 20
    while not kept.records("bytes") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert kept.records("bytes")[-1]["totals"][-1] == 1000


@pytest.mark.parametrize("length", ["-1", "many", "\u0664"])
def test_a_length_that_is_none_ends_the_connection(
    origin: Callable[..., http.client.HTTPSConnection], length: str
) -> None:
    client = origin()
    client.sock.sendall(f"POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
    assert client.sock.recv(100) == b""
    client.close()


def test_a_client_that_waits_to_be_told_is_told(origin: Callable[..., http.client.HTTPSConnection]) -> None:
    client = origin()
    client.sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert client.sock.recv(100).startswith(b"HTTP/1.1 100 ")
    client.sock.sendall(b"body")
    assert client.sock.recv(100).startswith(b"HTTP/1.1 200 ")
    client.close()


def test_a_client_that_is_silent_stops_no_other(origin: Callable[..., http.client.HTTPSConnection]) -> None:
    client = origin()
    with socket.create_connection((LOCALHOST, client.port)):
        other = http.client.HTTPSConnection("localhost", client.port, timeout=20, context=client._context)  # type: ignore[attr-defined]
        other.request("GET", "/102400.bin")
        assert other.getresponse().read() == OBJECT
        other.close()
    client.close()


def test_an_origin_listens_on_ipv6_where_it_is_to(
    origin: Callable[..., http.client.HTTPSConnection], authority: CertificateAuthority
) -> None:
    over_ipv4 = origin(has_ipv6=True)
    over_ipv4.close()
    port = over_ipv4.port
    context = ssl.create_default_context(cafile=str(authority.certificate))
    with socket.create_connection(("::1", port), timeout=20) as plain:
        assert plain.family == socket.AF_INET6
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_an_origin_of_ipv4_is_not_there_over_ipv6(origin: Callable[..., http.client.HTTPSConnection]) -> None:
    over_ipv4 = origin()
    over_ipv4.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("::1", over_ipv4.port), timeout=20)
