from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.http import recognise

REQUEST = b"GET /page HTTP/1.1\r\nUser-Agent: curl\r\nHost: rutracker.org:80\r\nAccept: */*\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (REQUEST, "rutracker.org"),
        (REQUEST.replace(b"Host: ", b"HOST:  \t"), "rutracker.org"),
        (b"POST / HTTP/1.1\r\nhost:a.example \r\n\r\n", "a.example"),
        (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "[2001:db8::1]:80"),
        (b"GET / HTTP/1.0\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\n\r\nHost: in.the.body\r\n", None),
    ],
)
def test_finds_the_host(request_: bytes, name: str | None) -> None:
    result = recognise(request_)
    assert isinstance(result, Hello)
    assert result.name == name
    assert request_[result.offset : result.offset + result.length].decode() == (name or "")


@pytest.mark.parametrize("size", range(REQUEST.index(b":80\r\n") + 4))
def test_a_request_cut_before_the_end_of_its_host_needs_more(size: int) -> None:
    assert recognise(REQUEST[:size]) is Outcome.NEED_MORE


def test_answers_are_valid_and_the_rest_is_not_this() -> None:
    assert recognise(b"HTTP/1.1 200 OK\r\n") is Outcome.VALID
    assert recognise(b"\x16\x03\x01") is Outcome.NOT_THIS
    assert recognise(b"CONNECT a:443 HTTP/1.1\r\n\r\n") is Outcome.NOT_THIS


@given(st.binary(max_size=60), st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"HTTP/1."]))
def test_any_bytes_have_a_result(tail: bytes, start: bytes) -> None:
    assert isinstance(recognise(start + tail), Hello | Outcome)
