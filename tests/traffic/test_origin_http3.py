"""An origin over HTTP/3, and what the measuring client gets of it."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from testbed.traffic.connection import TransferError
from testbed.traffic.fetch_http3 import fetch_http3, upload_http3
from testbed.traffic.origin_http3 import Http3Origin, serve_http3
from tests.traffic.conftest import LOCALHOST, KeptLog, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed.traffic.authority import CertificateAuthority

OBJECT = bytes(range(256)) * 400  # 102,400 bytes


@pytest.fixture
def origin(authority: CertificateAuthority, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Start an origin with settings; its port."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www/102400.bin").write_bytes(OBJECT)
    (tmp_path / "www/0.bin").write_bytes(b"")
    for name in ("certificate.pem", "key.pem"):
        (tmp_path / name).write_bytes((authority.certificate.parent / name).read_bytes())
    threads = []
    ending, end = os.pipe()

    def start(**settings: object) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("", 0))
            port: int = free.getsockname()[1]
        listens = threading.Event()
        server = Http3Origin(folder=tmp_path, **settings)  # type: ignore[arg-type]
        serving = threading.Thread(
            target=lambda: serve_http3(server, ready=listens.set, ending=ending, port=port), daemon=True
        )
        serving.start()
        threads.append(serving)
        assert listens.wait(20)
        return port

    yield start
    os.write(end, b".")
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    os.close(ending)
    os.close(end)


@pytest.fixture
def client(authority: CertificateAuthority, kept: KeptLog, tmp_path: Path) -> Callable[..., None]:
    """The measuring client, told where to go."""

    def fetch(port: int, path: str = "/102400.bin", *, host: str = "localhost", **more: int) -> None:
        fetch_http3(asked(port, authority, tmp_path, host=host, path=path, **more), kept.log)

    return fetch


def test_an_object_comes_whole_and_every_step_is_logged(
    origin: Callable[..., int], client: Callable[..., None], kept: KeptLog, tmp_path: Path
) -> None:
    port = origin()
    client(port)
    assert kept.records("connected")[0]["remote"] == [LOCALHOST, port]
    assert kept.records("connected")[0]["protocol"] == "udp"
    assert kept.records("handshake")[0]["protocol"] == "h3"
    assert kept.records("handshake")[0]["version"] == "TLSv1.3"
    assert kept.records("bytes")[-1]["totals"][-1] == len(OBJECT)
    assert kept.records("tcp_info") == []
    labels = {line.split()[0] for line in (tmp_path / "secrets.txt").read_text().splitlines()}
    assert {"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"} < {label.removeprefix("QUIC_") for label in labels}


def test_objects_follow_each_other_on_one_connection(
    origin: Callable[..., int], client: Callable[..., None], kept: KeptLog
) -> None:
    client(origin(), objects=3)
    assert [(each["number"], each["bytes"]) for each in kept.records("object")] == [
        (number, number * len(OBJECT)) for number in (1, 2, 3)
    ]
    assert len(kept.records("handshake")) == 1


def test_an_empty_object_is_an_answer(origin: Callable[..., int], client: Callable[..., None], kept: KeptLog) -> None:
    client(origin(), "/0.bin")
    assert kept.records("bytes") == []


@pytest.mark.parametrize("path", ["/nosuch.bin", "/../key.pem", "/"])
def test_what_is_not_there_is_told(origin: Callable[..., int], client: Callable[..., None], path: str) -> None:
    with pytest.raises(TransferError, match="the server answered '404'"):
        client(origin(), path)


def test_a_certificate_for_another_name_is_refused(origin: Callable[..., int], client: Callable[..., None]) -> None:
    with pytest.raises(TransferError, match=r"during the handshake: .*twitter\.com"):
        client(origin(), host="twitter.com")


def test_nobody_there_is_told(client: Callable[..., None]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((LOCALHOST, 0))
        port = free.getsockname()[1]
    with pytest.raises(TransferError, match="refused"):
        client(port)


def test_it_thinks_before_the_first_byte_and_sends_at_its_rate(
    origin: Callable[..., int], client: Callable[..., None], kept: KeptLog
) -> None:
    client(origin(think_s=0.2, rate_bps=2_000_000))
    handshake = kept.records("handshake")[0]["t"]
    assert kept.records("bytes")[0]["t"] - handshake >= 0.2
    # No faster; how much slower is the machine's affair.
    assert kept.records("bytes")[-1]["times"][-1] - handshake >= 0.2 + 0.95 * len(OBJECT) * 8 / 2_000_000


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xc0" * 1200, bytes(range(256)) * 5, b"\xc0\x00\x00\x00\x01" * 300])
def test_a_datagram_that_makes_no_sense_is_no_end_of_the_server(
    origin: Callable[..., int], client: Callable[..., None], kept: KeptLog, data: bytes
) -> None:
    port = origin()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(data, (LOCALHOST, port))
    client(port)
    assert kept.records("bytes")[-1]["totals"][-1] == len(OBJECT)


@pytest.mark.parametrize("size", [1, 16_384, 700_001])
def test_an_upload_is_counted_by_who_takes_it_and_answered_once_it_is_whole(
    origin: Callable[..., int], authority: CertificateAuthority, kept: KeptLog, tmp_path: Path, size: int
) -> None:
    theirs = KeptLog(tmp_path / "server.jsonl")
    port = origin(uploads={"/upload/t": theirs.log})
    upload_http3(asked(port, authority, tmp_path, path="/upload/t"), kept.log, size=size)
    theirs.log.flush()
    totals = [total for each in theirs.records("bytes") for total in each["totals"]]
    assert totals == sorted(totals)
    assert totals[-1] == size
    assert kept.events() == ["started", "connected", "handshake"]


def test_an_upload_that_nobody_counts_is_taken_all_the_same(
    origin: Callable[..., int], authority: CertificateAuthority, kept: KeptLog, tmp_path: Path
) -> None:
    upload_http3(asked(origin(), authority, tmp_path, path="/elsewhere"), kept.log, size=1000)
    assert kept.events() == ["started", "connected", "handshake"]
