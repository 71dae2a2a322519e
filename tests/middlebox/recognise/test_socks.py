from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.socks import recognise

REQUEST5 = b"\x05\x01\x00\x03\x0btwitter.com\x01\xbb"
REQUEST4A = b"\x04\x01\x01\xbb\x00\x00\x00\x01user\x00twitter.com\x00"


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        (REQUEST5, Hello("socks", "twitter.com", 5, 11)),
        (REQUEST4A, Hello("socks", "twitter.com", 13, 11)),
        (b"\x05\x01\x00\x01\xc0\x00\x02\x01\x01\xbb", Hello("socks", None, 0, 0)),
        (b"\x04\x01\x01\xbb\xc0\x00\x02\x01user\x00", Hello("socks", None, 0, 0)),
    ],
)
def test_a_request_names_its_host_or_none(payload: bytes, result: Hello) -> None:
    assert recognise(payload) == result


@pytest.mark.parametrize(
    "payload",
    [
        b"\x05\x01\x00",
        b"\x05\x02\x00\x02",
        b"\x05\x00",
        b"\x05\x00\x00\x01\xc0\x00\x02\x01\x01\xbb",
        b"\x00\x5a\x01\xbb\xc0\x00\x02\x01",
    ],
    ids=["greeting", "greeting of two", "method chosen", "answer 5", "answer 4"],
)
def test_greetings_and_answers_are_valid(payload: bytes) -> None:
    assert recognise(payload) is Outcome.VALID


@pytest.mark.parametrize("size", [0, 1, *range(4, len(REQUEST5))])
def test_a_version_5_request_cut_anywhere_needs_more(size: int) -> None:
    assert recognise(REQUEST5[:size]) is Outcome.NEED_MORE


@pytest.mark.parametrize("size", range(len(REQUEST4A)))
def test_a_version_4_request_cut_anywhere_needs_more(size: int) -> None:
    assert recognise(REQUEST4A[:size]) is Outcome.NEED_MORE


@pytest.mark.parametrize(
    "payload",
    [
        REQUEST5 + b"x",
        REQUEST4A + b"x",
        b"\x05\x01\x01\x03\x01a\x01\xbb",
        b"\x05\x01\x00\x07\x01a\x01\xbb",
        b"\x04\x09\x01\xbb\xc0\x00\x02\x01\x00",
        b"\x04\x03\x01",
        b"\x16\x03\x01",
        b"\x00\x5a\x01",
    ],
)
def test_a_message_that_does_not_fill_its_packet_or_has_a_wrong_field_is_not_socks(payload: bytes) -> None:
    assert recognise(payload) is Outcome.NOT_THIS


@given(st.binary(max_size=40), st.sampled_from([b"", b"\x04\x01", b"\x05\x01\x00\x03"]))
def test_any_bytes_have_a_result(payload: bytes, start: bytes) -> None:
    assert isinstance(recognise(start + payload), Hello | Outcome)
