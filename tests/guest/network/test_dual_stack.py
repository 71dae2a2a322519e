"""IPv6 beside IPv4: addresses follow from addresses, and what the kernel has is read back."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.guest.network.dual_stack import ipv6_of


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1", "2001:db8::a00:1"),
        ("100.64.0.1", "2001:db8::6440:1"),
        ("198.51.100.6", "2001:db8::c633:6406"),
    ],
)
def test_an_address_has_the_ipv6_address_that_the_documents_name(address: str, expected: str) -> None:
    assert ipv6_of(address) == expected


@given(st.integers(0, 2**32 - 1))
def test_the_ipv4_address_can_be_told_from_the_ipv6_address_which_is_for_documentation(number: int) -> None:
    address = IPv6Address(ipv6_of(str(IPv4Address(number))))
    assert int(address) & 0xFFFFFFFF == number
    assert address in IPv6Network("2001:db8::/32")


def test_a_network_has_ipv6_at_every_end_of_every_segment_and_nowhere_else(guest_answers: dict[str, Any]) -> None:
    answers = guest_answers["dual_stack"]
    assert answers["counted"] == answers["ends"]
    assert answers["at_boxes"] == []
    assert not [each for each in answers["addresses"] if each.startswith("fe80")]


def test_all_stays_silent_though_nobody_knew_a_neighbour(guest_answers: dict[str, Any]) -> None:
    """Frames at a client's interface while an echo goes to a server and back: those two, and no other."""
    assert guest_answers["dual_stack"]["frames"] == ["echo request", "echo reply"]


@pytest.mark.parametrize(
    ("what", "has"),
    [("none", "the kernel has {}"), ("more", "the kernel has {'2001:db8::bad': 2, '2001:db8::6440:1': 2}")],
)
def test_an_address_that_is_gone_or_was_not_planned_is_found(
    guest_answers: dict[str, Any], what: str, has: str
) -> None:
    refused = guest_answers["dual_stack"]["found"][what]
    assert refused["kind"] == "CertificateError"
    assert refused["message"].startswith("mobile: IPv6 addresses: planned {'2001:db8::6440:1': ")
    assert refused["message"].endswith(has)
