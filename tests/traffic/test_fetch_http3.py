"""The measuring client over HTTP/3 where nothing answers as it should; what it gets: test_origin_http3."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from testbed.traffic.connection import TransferError
from testbed.traffic.fetch_http3 import fetch_http3
from tests.traffic.conftest import LOCALHOST, KeptLog, asked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.traffic.authority import CertificateAuthority


@pytest.fixture
def client(authority: CertificateAuthority, kept: KeptLog, tmp_path: Path) -> Callable[[int], None]:
    def fetch(port: int) -> None:
        request = asked(port, authority, tmp_path, host="twitter.com", path="/1.bin", timeout_s=1.0)
        fetch_http3(request, kept.log)

    return fetch


def test_a_server_that_is_silent_is_given_up_in_time(client: Callable[[int], None], kept: KeptLog) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((LOCALHOST, 0))
        with pytest.raises(TransferError, match="timed out while connecting"):
            client(silent.getsockname()[1])
        first = silent.recv(65_535)
    # One datagram with the whole hello, as long as RFC 9000 wants it: what a box looks at.
    assert len(first) >= 1200
    assert kept.events() == ["started", "connected"]


def test_what_is_no_quic_is_as_good_as_silence(client: Callable[[int], None]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((LOCALHOST, 0))
        stranger.settimeout(20)

        def answer() -> None:
            _, peer = stranger.recvfrom(65_535)
            for nonsense in (b"", b"\x00", b"nonsense", b"\xc0" * 1300):
                stranger.sendto(nonsense, peer)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(TransferError, match="timed out while connecting"):
            client(stranger.getsockname()[1])
        answering.join(20)
