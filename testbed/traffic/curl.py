"""The real curl: what it reports of one request, as the same events that our own client logs."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, TypedDict

from testbed.traffic.connection import TransferError

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.traffic.log import TransferLog

__all__ = ["curl"]

_HTTP_OK = 200
_HTTP11, _HTTP2 = "--http1.1", "--http2"


class _Report(TypedDict, total=False):
    """Of what curl tells as JSON (``--write-out %{json}``): instants in seconds since it began, and both ends."""

    local_ip: str
    local_port: int
    remote_ip: str
    remote_port: int
    time_connect: float
    time_appconnect: float
    size_download: int
    http_version: str
    http_code: int


def curl(
    url: str,
    *,
    ca: Path,
    key_log: Path,
    timeout_s: float,
    log: TransferLog,
    ip: int | None = None,
    is_http2: bool = False,
) -> None:
    """Fetch a URL with curl and log ``started``, ``connected``, ``handshake`` and the bytes at the end.

    Args:
        url: What to fetch.
        ca: Certificate authority, PEM.
        key_log: TLS secrets are appended there.
        timeout_s: For all of it.
        log: Where the events go.
        ip: Over which IP, 4 or 6; None: curl's choice.
        is_http2: Whether by HTTP/2; a server that answers by HTTP/1.1 is an error then.

    Raises:
        TransferError: curl failed; its own message.
    """
    log.event("started", url=url)
    began = log.now()
    # HTTP/1.1 as a rule, as our own client speaks: HTTP/2 puts several frames of its own before the first byte.
    argv = [
        "curl", "--silent", "--show-error", _HTTP2 if is_http2 else _HTTP11, "--cacert", str(ca),
        "--max-time", str(timeout_s), "--output", os.devnull, "--write-out", "%{json}", "--", url,
    ]  # fmt: skip
    if ip is not None:
        argv.insert(1, f"--ipv{ip}")
    environment = os.environ | {"SSLKEYLOGFILE": str(key_log)}
    result = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    report: _Report = json.loads(result.stdout) if result.stdout else {}
    if report.get("local_port") and report["time_connect"]:  # newer releases tell the port of an attempt, too
        log.event(
            "connected",
            t_connected=began + report["time_connect"],
            local=[report["local_ip"], report["local_port"]],
            remote=[report["remote_ip"], report["remote_port"]],
        )
    if report.get("time_appconnect"):
        log.event("handshake", t_handshake=began + report["time_appconnect"])
    # curl tells no timeline, only the total at the end: one sample, at the instant at which it ended.
    log.received(log.now(), int(report.get("size_download", 0)))
    if result.returncode:
        raise TransferError(result.stderr.strip() or f"curl ended with status {result.returncode}")
    if report["http_code"] != _HTTP_OK:
        raise TransferError(f"the server answered {report['http_code']}")
    if is_http2 and report.get("http_version") != "2":
        raise TransferError(f"the server answered by HTTP/{report.get('http_version')}, not HTTP/2")
