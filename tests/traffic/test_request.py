"""A request is as plain as can be, unless more is said."""

from __future__ import annotations

from pathlib import Path

from testbed.traffic.request import Request


def test_a_request_is_for_one_object_read_as_it_comes() -> None:
    request = Request(
        host="t.co", address=("192.0.2.1", 443), path="/", ca=Path("ca"), key_log=Path("log"), timeout_s=1.0
    )
    assert (request.objects, request.receive_buffer, request.reading_bps) == (1, None, None)
