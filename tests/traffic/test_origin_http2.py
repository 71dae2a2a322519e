"""HTTP/2 of our own origin: what it answers, when, how fast, and what it takes."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from testbed.traffic.fetch_http2 import fetch_http2, upload_http2
from testbed.traffic.origin_http2 import serve_http2
from tests.traffic.conftest import LOCALHOST, KeptLog, StartOrigin, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from h2.events import Event

    from testbed.traffic.authority import CertificateAuthority

OBJECT = bytes(range(256)) * 400  # 102,400 bytes: more than the window that RFC 9113 begins with
PATIENCE_S = 20


@pytest.fixture
def start(start_origin: StartOrigin) -> Callable[..., int]:
    """Start an origin that speaks HTTP/2, with settings; its port."""
    return partial(start_origin, {"102400.bin": OBJECT}, http2=serve_http2)


class Client:
    """A client that asks several things at once, on one connection, and keeps what comes."""

    def __init__(self, port: int, authority: CertificateAuthority, *, window: int | None = None) -> None:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        context.set_alpn_protocols(["h2"])
        self.session = context.wrap_socket(
            socket.create_connection((LOCALHOST, port), timeout=PATIENCE_S), server_hostname="localhost"
        )
        self.http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        if window is not None:
            values = {SettingCodes.INITIAL_WINDOW_SIZE: window}
            self.http.local_settings = Settings(client=True, initial_values=values)
        self.http.initiate_connection()
        self.status: dict[int, str] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: list[int] = []
        self.is_over = False

    def ask(self, method: str, path: str) -> int:
        stream = self.http.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        self.http.send_headers(stream, head, end_stream=True)
        self.session.sendall(self.http.data_to_send())
        return stream

    def read(self, *, opens: bool = True) -> None:
        """Read once; ``opens``: and let more come."""
        data = self.session.recv(65_536)
        self.is_over = self.is_over or not data
        for event in self.http.receive_data(data):
            self._take(event, opens=opens)
        self.session.sendall(self.http.data_to_send())

    def _take(self, event: Event, *, opens: bool) -> None:
        if isinstance(event, ResponseReceived) and event.stream_id is not None:
            head = {str(name): str(value) for name, value in event.headers or []}
            self.status[event.stream_id] = head[":status"]
        elif isinstance(event, DataReceived) and event.stream_id is not None:
            self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            if opens:
                self.http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
        elif isinstance(event, StreamEnded) and event.stream_id is not None:
            self.ended.append(event.stream_id)
        self.is_over = self.is_over or isinstance(event, ConnectionTerminated)

    def finish(self, *streams: int) -> None:
        while not set(streams) <= set(self.ended) and not self.is_over:
            self.read()


@pytest.fixture
def connect(authority: CertificateAuthority) -> Iterator[Callable[..., Client]]:
    """Connect a client to a port."""
    with contextlib.ExitStack() as opened:

        def connected(port: int, *, window: int | None = None) -> Client:
            client = Client(port, authority, window=window)
            opened.enter_context(client.session)
            return client

        yield connected


def test_our_client_fetches_objects_one_after_the_other(
    start: Callable[..., int], authority: CertificateAuthority, kept: KeptLog, tmp_path: Path
) -> None:
    fetch_http2(asked(start(), authority, tmp_path, path="/102400.bin", objects=3), kept.log)
    assert kept.records("handshake")[0]["protocol"] == "h2"
    assert [each["bytes"] for each in kept.records("object")] == [number * len(OBJECT) for number in (1, 2, 3)]


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 1_000_000])
def test_an_upload_is_counted_as_it_comes(
    start: Callable[..., int], authority: CertificateAuthority, kept: KeptLog, tmp_path: Path, size: int
) -> None:
    port = start(uploads={"/upload/t": kept.log})
    client = KeptLog(tmp_path / "client.jsonl")
    upload_http2(asked(port, authority, tmp_path, path="/upload/t"), client.log, size=size)
    upload_http2(asked(port, authority, tmp_path, path="/upload/other"), client.log, size=10)  # taken, not written down
    totals = [total for each in kept.records("bytes") for total in each["totals"]]
    assert totals == sorted(set(totals))
    assert totals[-1] == size


@pytest.mark.parametrize(
    ("request_line", "status", "body"),
    [
        ("GET /102400.bin", "200", OBJECT),
        ("HEAD /102400.bin", "200", b""),
        ("GET /", "200", b"an origin of the throttling testbed\n"),
        ("GET /102400.bin?nocache=1", "200", OBJECT),
        ("GET /nosuch.bin", "404", b""),
        ("GET /../key.pem", "404", b""),
        ("DELETE /102400.bin", "405", b""),
        ("POST /anything", "200", b""),
    ],
)
def test_it_answers_as_over_http1(
    start: Callable[..., int], connect: Callable[..., Client], request_line: str, status: str, body: bytes
) -> None:
    client = connect(start())
    stream = client.ask(*request_line.split(" "))
    client.finish(stream)
    assert (client.status[stream], client.bodies.get(stream, b"")) == (status, body)


def test_requests_at_once_are_answered_side_by_side(start: Callable[..., int], connect: Callable[..., Client]) -> None:
    client = connect(start(rate_bps=4_000_000))
    streams = [client.ask("GET", "/102400.bin") for _ in range(3)]
    while not all(client.bodies.get(stream) for stream in streams):
        client.read()
    assert not client.ended  # the first is still coming when the last has begun
    client.finish(*streams)
    assert [client.bodies[stream] for stream in streams] == [OBJECT] * 3


def test_a_client_whose_window_is_small_gets_all_of_it(
    start: Callable[..., int], connect: Callable[..., Client]
) -> None:
    client = connect(start(), window=1000)
    stream = client.ask("GET", "/102400.bin")
    client.finish(stream)
    assert client.bodies[stream] == OBJECT


def test_a_client_that_makes_its_window_smaller_gets_all_once_it_opens_it_again(
    start: Callable[..., int], connect: Callable[..., Client]
) -> None:
    client = connect(start(), window=60_000)
    stream = client.ask("GET", "/102400.bin")
    while len(client.bodies.get(stream, b"")) < 60_000:
        client.read(opens=False)
    client.http.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    client.finish(client.ask("GET", "/"))  # it has been taken by now: the window is below zero
    client.http.increment_flow_control_window(len(OBJECT), stream)
    client.http.increment_flow_control_window(len(OBJECT))
    client.session.sendall(client.http.data_to_send())
    client.finish(stream)
    assert client.bodies[stream] == OBJECT


def test_a_client_that_says_farewell_gets_what_it_asked_for_and_no_more(
    start: Callable[..., int], connect: Callable[..., Client]
) -> None:
    client = connect(start(rate_bps=4_000_000))
    stream = client.ask("GET", "/102400.bin")
    while not client.bodies.get(stream):
        client.read()
    client.session.sendall(GoAwayFrame(0).serialize())
    client.finish(stream)
    assert client.bodies[stream] == OBJECT
    assert not client.session.recv(1)  # closed


def test_who_does_not_read_one_answer_still_gets_another(
    start: Callable[..., int], connect: Callable[..., Client]
) -> None:
    client = connect(start(), window=20_000)
    stuck = client.ask("GET", "/102400.bin")
    while len(client.bodies.get(stuck, b"")) < 20_000:
        client.read(opens=False)
    greeting = client.ask("GET", "/")
    client.finish(greeting)
    assert client.bodies[greeting].startswith(b"an origin")
    client.http.reset_stream(stuck)
    again = client.ask("GET", "/")
    client.finish(again)
    assert stuck not in client.ended


def test_it_thinks_before_it_answers_and_sends_at_its_rate(
    start: Callable[..., int], connect: Callable[..., Client]
) -> None:
    client = connect(start(think_s=0.2, rate_bps=2_000_000))
    began = time.monotonic()
    stream = client.ask("GET", "/102400.bin")
    while stream not in client.status:
        client.read()
    assert time.monotonic() - began >= 0.2
    client.finish(stream)
    assert time.monotonic() - began >= 0.2 + 0.95 * len(OBJECT) * 8 / 2_000_000


@pytest.mark.parametrize("garbage", [b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n" * 10, b"\xff" * 5000])
def test_a_client_that_makes_no_sense_is_no_end_of_the_server(
    start: Callable[..., int], connect: Callable[..., Client], garbage: bytes
) -> None:
    port = start()
    stranger = connect(port)
    stranger.session.sendall(garbage)
    with contextlib.suppress(OSError):
        while stranger.session.recv(4096):
            pass
    client = connect(port)
    stream = client.ask("GET", "/102400.bin")
    client.finish(stream)
    assert client.bodies[stream] == OBJECT


def test_a_client_without_http2_is_served_by_http1(start: Callable[..., int], authority: CertificateAuthority) -> None:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    with (
        socket.create_connection((LOCALHOST, start()), timeout=PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as session,
    ):
        session.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: session.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
