"""The client's resolver: the scenario's names, and an answer to whatever is asked."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.resolver import answer

NAMES = {"twitter.com": "198.51.100.6", "example.com": "198.51.100.10"}
A, PTR, AAAA, TXT = 1, 12, 28, 16


def query(name: str, kind: int, *, flags: int = 0x0100, more: bytes = b"") -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    return struct.pack("!6H", 7, flags, 1, 0, 0, len(more) > 0) + labels + b"\0" + struct.pack("!2H", kind, 1) + more


def parts(response: bytes | None) -> tuple[int, int, bytes]:
    """Response code, number of answers, and what stands at the end."""
    assert response is not None
    number, flags, questions, answers, _, _ = struct.unpack_from("!6H", response)
    assert (number, questions, flags >> 15) == (7, 1, 1)
    return flags & 0xF, answers, response[-4:]


@pytest.mark.parametrize("name", ["twitter.com", "TWITTER.com", "twitter.com."])
def test_a_name_of_the_scenario_has_its_address(name: str) -> None:
    assert parts(answer(query(name, A), NAMES)) == (0, 1, socket.inet_aton("198.51.100.6"))


@pytest.mark.parametrize("kind", [AAAA, TXT])
def test_a_known_name_has_no_record_of_another_kind_and_is_known(kind: int) -> None:
    assert parts(answer(query("twitter.com", kind), NAMES))[:2] == (0, 0)


def test_an_unknown_name_does_not_exist() -> None:
    assert parts(answer(query("nosuch.example", A), NAMES))[:2] == (3, 0)


def test_an_address_has_its_name() -> None:
    response = answer(query("6.100.51.198.in-addr.arpa", PTR), NAMES)
    assert parts(response)[:2] == (0, 1)
    assert response is not None
    assert response.endswith(b"\x07twitter\x03com\0")


def test_an_option_record_of_edns_is_passed_over() -> None:
    option = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
    assert parts(answer(query("example.com", A, more=option), NAMES))[:2] == (0, 1)


def test_other_operations_and_responses_are_not_answered_as_queries() -> None:
    refused = answer(query("twitter.com", A, flags=0x2800), NAMES)
    assert refused is not None
    assert refused[3] & 0xF == 4
    assert answer(query("twitter.com", A, flags=0x8180), NAMES) is None


@given(st.binary(max_size=80))
def test_anything_may_arrive(data: bytes) -> None:
    response = answer(data, NAMES)
    assert response is None or response[:2] == data[:2]


@given(st.integers(0, 29))
def test_a_query_cut_anywhere_is_answered_with_an_error_or_not_at_all(length: int) -> None:
    response = answer(query("twitter.com", A)[:length], NAMES)
    assert response is None or response[3] & 0xF in {0, 1, 3}


NAMES6 = {"twitter.com": "2001:db8::c633:6406", "only6.example": "2001:db8::1"}


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("twitter.com", AAAA, ["2001:db8::c633:6406"]),
        ("only6.example", AAAA, ["2001:db8::1"]),
        ("only6.example", A, []),
        ("example.com", AAAA, []),
    ],
)
def test_ipv6_addresses_are_told_where_a_name_has_one(name: str, kind: int, expected: list[str]) -> None:
    response = answer(query(name, kind), NAMES, NAMES6)
    assert response is not None
    code, count, _ = parts(response)
    assert (code, count) == (0, len(expected))
    assert [socket.inet_ntop(socket.AF_INET6, response[-16:]) for _ in expected] == expected


def test_an_ipv6_address_has_its_name() -> None:
    reverse = "6.0.4.6.3.3.6.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    response = answer(query(reverse, PTR), NAMES, NAMES6)
    assert response is not None
    assert response.endswith(b"\x07twitter\x03com\0")
    assert parts(answer(query("1" + reverse[1:], PTR), NAMES, NAMES6))[:2] == (3, 0)
