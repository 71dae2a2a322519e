"""curl's own report, as the events that our client logs."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from testbed.traffic.authority import CertificateAuthority
from testbed.traffic.connection import TransferError
from testbed.traffic.curl import curl
from tests.traffic.conftest import LOCALHOST, KeptLog

if TYPE_CHECKING:
    from pathlib import Path

ServeHttps = Callable[[bytes], int]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123456789"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here; run: sudo apt-get install curl")


def get(port: int, kept: KeptLog, ca: Path, folder: Path) -> None:
    curl(f"https://localhost:{port}/10.bin", ca=ca, key_log=folder / "secrets.txt", timeout_s=20.0, log=kept.log)


def test_a_request_is_logged_with_its_instants_and_bytes(
    serve_https: ServeHttps, kept: KeptLog, authority: CertificateAuthority, tmp_path: Path
) -> None:
    port = serve_https(OK)
    get(port, kept, authority.certificate, tmp_path)
    assert kept.events() == ["started", "connected", "handshake", "bytes"]
    started, connected, handshake, received = (kept.records(event)[0] for event in kept.events())
    assert connected["remote"] == [LOCALHOST, port]
    assert started["t"] <= connected["t_connected"] <= handshake["t_handshake"] <= received["times"][0]
    assert received["totals"] == [10]


def test_another_status_is_a_failed_transfer(
    serve_https: ServeHttps, kept: KeptLog, authority: CertificateAuthority, tmp_path: Path
) -> None:
    port = serve_https(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(TransferError, match="the server answered 503"):
        get(port, kept, authority.certificate, tmp_path)


def test_a_closed_port_is_told_in_curls_words(kept: KeptLog, authority: CertificateAuthority, tmp_path: Path) -> None:
    with socket.create_server((LOCALHOST, 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransferError, match=r"curl: \(7\) Failed to connect"):
        get(port, kept, authority.certificate, tmp_path)
    assert kept.events() == ["started", "bytes"]
    assert kept.records("bytes")[0]["totals"] == [0]


def test_a_cut_answer_keeps_the_bytes_that_came(
    serve_https: ServeHttps, kept: KeptLog, authority: CertificateAuthority, tmp_path: Path
) -> None:
    port = serve_https(OK[:-4])
    with pytest.raises(TransferError, match=r"curl: \(\d+\)"):
        get(port, kept, authority.certificate, tmp_path)
    assert kept.records("bytes")[0]["totals"] == [6]


def test_an_unknown_authority_is_told_in_curls_words(
    serve_https: ServeHttps, kept: KeptLog, authority: CertificateAuthority, tmp_path: Path
) -> None:
    other = CertificateAuthority(
        tmp_path / "other", authority.certificate.parent / "origin.key", seed=2, start_ns=time.time_ns()
    )
    port = serve_https(OK)
    with pytest.raises(TransferError, match=r"curl: \(60\)"):
        get(port, kept, other.certificate, tmp_path)
