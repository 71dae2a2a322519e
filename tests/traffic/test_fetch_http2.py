"""The measuring client over HTTP/2, against a server that does what it is told to."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, WindowUpdated
from h2.exceptions import ProtocolError

from testbed.traffic.connection import TransferError
from testbed.traffic.fetch_http2 import fetch_http2
from tests.traffic.conftest import KeptLog, asked

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.traffic.authority import CertificateAuthority

OBJECT = bytes(range(256)) * 1000  # 256,000 bytes: four times the window that RFC 9113 begins with
Serve = Callable[[Callable[[socket.socket], None]], int]
Answer = Callable[[H2Connection, int], None]


def whole(http: H2Connection, stream: int) -> None:
    """Answer with the object."""
    http.send_headers(stream, [(":status", "200"), ("content-length", str(len(OBJECT)))])
    for begin in range(0, len(OBJECT), 16_384):
        http.send_data(stream, OBJECT[begin : begin + 16_384])
    http.end_stream(stream)


@pytest.fixture
def serve_http2(serve: Serve, authority: CertificateAuthority) -> Callable[[Answer], int]:
    """Start a server that answers each request of a connection in one way; the port."""
    folder = authority.certificate.parent

    def start(answer: Answer) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        context.set_alpn_protocols(["h2"])

        def converse(accepted: socket.socket) -> None:
            try:
                with context.wrap_socket(accepted, server_side=True) as session:
                    _converse(session, answer)
            except (ssl.SSLError, OSError, ProtocolError):
                return  # the client did not like us, or asks on after our farewell

        return serve(converse)

    return start


def _converse(session: ssl.SSLSocket, answer: Answer) -> None:
    http = H2Connection(H2Configuration(client_side=False))
    http.initiate_connection()
    waiting: list[int] = []
    while data := session.recv(65_536):
        events = http.receive_data(data)
        waiting += [each.stream_id for each in events if isinstance(each, RequestReceived) and each.stream_id]
        assert not any(isinstance(each, DataReceived) for each in events)
        # The client widens its window right after it has begun.
        if waiting and (http.outbound_flow_control_window > len(OBJECT) or any(map(_is_window, events))):
            for stream in waiting:
                answer(http, stream)
            waiting.clear()
        session.sendall(http.data_to_send())


def _is_window(event: object) -> bool:
    return isinstance(event, WindowUpdated)


@pytest.fixture
def client(authority: CertificateAuthority, kept: KeptLog, tmp_path: Path) -> Callable[..., None]:
    """The measuring client, told where to go."""

    def fetch(port: int, **more: Any) -> None:
        fetch_http2(asked(port, authority, tmp_path, path="/256000.bin", **more), kept.log)

    return fetch


def test_an_object_comes_whole_and_every_step_is_logged(
    serve_http2: Callable[[Answer], int], client: Callable[..., None], kept: KeptLog, tmp_path: Path
) -> None:
    client(serve_http2(whole))
    assert [event for event in kept.events() if event != "bytes"] == ["started", "connected", "handshake"]
    assert kept.records("handshake")[0]["protocol"] == "h2"
    assert kept.records("bytes")[-1]["totals"][-1] == len(OBJECT)
    assert kept.records("tcp_info")[-1]["bytes_received"][-1] > len(OBJECT)
    assert "CLIENT_TRAFFIC_SECRET_0" in (tmp_path / "secrets.txt").read_text()


def test_objects_follow_each_other_on_one_connection(
    serve_http2: Callable[[Answer], int], client: Callable[..., None], kept: KeptLog
) -> None:
    client(serve_http2(whole), objects=3)
    assert [(each["number"], each["bytes"]) for each in kept.records("object")] == [
        (number, number * len(OBJECT)) for number in (1, 2, 3)
    ]
    assert len(kept.records("connected")) == 1


def missing(http: H2Connection, stream: int) -> None:
    http.send_headers(stream, [(":status", "404")], end_stream=True)


def unmeasured(http: H2Connection, stream: int) -> None:
    http.send_headers(stream, [(":status", "200")], end_stream=True)


def cut(http: H2Connection, stream: int) -> None:
    http.send_headers(stream, [(":status", "200"), ("content-length", "10")])
    http.send_data(stream, b"0123")
    http.reset_stream(stream, error_code=2)


def gone(http: H2Connection, stream: int) -> None:
    http.send_headers(stream, [(":status", "200"), ("content-length", "10")])
    http.close_connection(error_code=11)


def test_the_answer_that_comes_with_the_servers_farewell_is_whole(
    serve_http2: Callable[[Answer], int], client: Callable[..., None], kept: KeptLog
) -> None:
    def last(http: H2Connection, stream: int) -> None:
        whole(http, stream)
        http.close_connection(last_stream_id=stream)

    client(serve_http2(last))
    assert kept.records("bytes")[-1]["totals"][-1] == len(OBJECT)
    with pytest.raises(TransferError, match="the server takes no more requests on this connection"):
        client(serve_http2(last), objects=2)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (missing, "the server answered '404'"),
        (unmeasured, "the server did not say how long its answer is"),
        (cut, "the server broke off with error 2"),
        (gone, "the server broke off with error 11"),
    ],
)
def test_an_answer_that_is_none_is_told(
    serve_http2: Callable[[Answer], int], client: Callable[..., None], answer: Answer, problem: str
) -> None:
    with pytest.raises(TransferError, match=problem):
        client(serve_http2(answer))


def test_what_breaks_the_protocol_is_a_failed_transfer(
    serve_http2: Callable[[Answer], int], client: Callable[..., None]
) -> None:
    def short(http: H2Connection, stream: int) -> None:
        http.send_headers(stream, [(":status", "200"), ("content-length", "10")])
        http.end_stream(stream)

    with pytest.raises(TransferError, match=r"the server broke HTTP/2: .*10"):
        client(serve_http2(short))


def test_a_server_without_http2_is_told(
    serve: Serve, authority: CertificateAuthority, client: Callable[..., None]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = authority.certificate.parent
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")

    def answer(accepted: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError, OSError), context.wrap_socket(accepted, server_side=True) as session:
            session.recv(4096)

    with pytest.raises(TransferError, match="the server does not speak HTTP/2"):
        client(serve(answer))
