from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.http_proxy import recognise

CONNECT = b"CONNECT twitter.com:443 HTTP/1.1\r\nHost: twitter.com:443\r\n\r\n"


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (CONNECT, "twitter.com"),
        (b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n", "2001:db8::1"),
        (b"GET http://t.co/abc HTTP/1.1\r\n", "t.co"),
        (b"POST http://user:secret@t.co:8080/abc HTTP/1.1\r\n", "t.co"),
        (b"HEAD https://t.co HTTP/1.1\r\n", "t.co"),
    ],
)
def test_finds_the_host_that_the_proxy_is_asked_for(payload: bytes, name: str) -> None:
    assert recognise(payload) == Hello("http_proxy", name, payload.index(name.encode()), len(name))


def test_the_answer_of_a_proxy_is_valid() -> None:
    assert recognise(b"HTTP/1.1 200 Connection established\r\n\r\n") is Outcome.VALID


@pytest.mark.parametrize(
    "payload",
    [
        b"GET / HTTP/1.1\r\nHost: twitter.com\r\n\r\n",
        b"CONNECT twitter.com\r\n",
        b"CONNECT  HTTP/1.1\r\n",
        b"\x16\x03\x01",
    ],
)
def test_what_is_not_for_a_proxy_is_not_this(payload: bytes) -> None:
    assert recognise(payload) is Outcome.NOT_THIS


@pytest.mark.parametrize("size", range(CONNECT.index(b"\r\n") + 1))
def test_a_request_line_cut_anywhere_needs_more(size: int) -> None:
    assert recognise(CONNECT[:size]) is Outcome.NEED_MORE


@given(st.binary(max_size=60), st.sampled_from([b"", b"CONNECT ", b"GET http://", b"HTTP/1."]))
def test_any_bytes_have_a_result(payload: bytes, start: bytes) -> None:
    assert isinstance(recognise(start + payload), Hello | Outcome)
