"""Queueing disciplines, filters and policers: what is asked for is what is read back."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from testbed.netlink import tc
from testbed.netlink.socket import attributes
from testbed.netlink.tc import _idle

Answers = dict[str, Any]


@pytest.mark.parametrize(("major", "minor", "number"), [(5, 0, 0x50000), (5, 1, 0x50001), (0xFFFF, 0xFFFF, 0xFFFFFFFF)])
def test_a_handle_is_major_and_minor(major: int, minor: int, number: int) -> None:
    assert tc.handle(major, minor) == number


@pytest.mark.parametrize(
    ("source", "protocol", "kinds"),
    [
        (b"\n\0\0\2", socket.IPPROTO_TCP, {tc.TCA_FLOWER_KEY_IPV4_SRC, tc.TCA_FLOWER_KEY_TCP_SRC}),
        (bytes(16), socket.IPPROTO_UDP, {tc.TCA_FLOWER_KEY_IPV6_SRC, tc.TCA_FLOWER_KEY_UDP_SRC}),
    ],
)
def test_a_flow_is_matched_by_all_of_its_five_tuple(source: bytes, protocol: int, kinds: set[int]) -> None:
    match = tc.FlowMatch(protocol, source, source, 443, 50_000)
    body = tc.add_flow_filter(3, 9, match, []).body
    options = attributes(attributes(body[20:])[tc.TCA_OPTIONS])
    assert kinds <= set(options)
    assert struct.unpack(">H", options[min(kinds & {18, 20})]) == (443,)
    assert {len(options[kind]) for kind in options if kind in range(10, 18)} == {len(source)}


@pytest.mark.parametrize(("packets", "last_use", "idle_s"), [(0, 500, None), (1, 0, 0.0), (9, 250, 2.5)])
def test_idle_time_counts_from_the_last_packet(packets: int, last_use: int, idle_s: float | None) -> None:
    assert _idle(struct.pack("=QQQQ", 0, last_use, 0, 0), packets) == idle_s


def test_netem_below_htb_is_read_back_exactly(guest_answers: Answers) -> None:
    (netem,) = guest_answers["disciplines"]["before"]
    assert (netem["delay_ns"], netem["jitter_ns"], netem["limit"]) == (15_000_064, 64_000, 200)
    assert netem["loss"] == pytest.approx(0.25, abs=1e-9)
    assert (netem["handle"], netem["parent"]) == (tc.handle(0x10), tc.handle(5, 1))


def test_netem_is_changed_in_its_place(guest_answers: Answers) -> None:
    (netem,) = guest_answers["disciplines"]["after"]
    assert (netem["delay_ns"], netem["loss"], netem["limit"]) == (1_000_000, 1.0, 50)
    assert (netem["handle"], netem["parent"]) == (tc.handle(0x10), tc.handle(5, 1))


def test_the_rate_of_a_link_is_read_back_where_it_was_set_and_nowhere_else(guest_answers: Answers) -> None:
    assert guest_answers["disciplines"]["rates"] == [{"handle": tc.handle(5, 1), "rate": 625_000}]
    assert guest_answers["disciplines"]["elsewhere"] == 0


def test_filters_of_both_families_are_read_back_with_their_rate(guest_answers: Answers) -> None:
    fresh = {"packets": 0, "drops": 0, "rate": 17_500, "idle_s": None}
    assert guest_answers["filters"]["both"] == {"1": fresh, "2": fresh}


def test_a_deleted_filter_is_gone_and_the_other_stays(guest_answers: Answers) -> None:
    assert guest_answers["filters"]["left"] == [2]
