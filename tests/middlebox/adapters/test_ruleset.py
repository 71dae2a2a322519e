"""What a box looks at is queued. How the kernel understands the rules is asked in `tests.netlink.test_nftables`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.middlebox.adapters.ruleset import DECIDED, MARKS, QUEUE, rules
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.packet import TCP, Direction
from testbed.netlink import nftables as nft
from tests.middlebox.build import profile

if TYPE_CHECKING:
    from testbed.netlink.nftables import Expression

PORTS = {Direction.UP: "in0", Direction.DOWN: "out0"}
IP, IP6 = nft.meta("protocol", nft.ETHER_IP), nft.meta("protocol", nft.ETHER_IP6)
TCP4 = IP + nft.header(nft.IPV4_PROTOCOL_AT, bytes([TCP]))
TCP6 = IP6 + nft.meta("l4proto", bytes([TCP]))
FRAGMENT4 = IP + nft.header_bits(nft.IPV4_FRAGMENT_AT, b"\x3f\xff")
FRAGMENT6 = IP6 + nft.exthdr_exists(44)
UP, DOWN = Direction.UP, Direction.DOWN


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ru-tw-2021a", [(UP, TCP4), (UP, TCP6), (DOWN, TCP4), (DOWN, TCP6)]),
        ("upstream-only", [(UP, FRAGMENT4), (UP, FRAGMENT6), (UP, TCP4), (UP, TCP6)]),
        ("tele2-3g-up", [(UP, IP), (UP, IP6), (DOWN, IP), (DOWN, IP6)]),
    ],
)
def test_what_the_box_looks_at_is_queued(name: str, expected: list[tuple[Direction, list[Expression]]]) -> None:
    used = profile(name)
    _, *queued = rules([(used, Inspector(used, seed=1).protocols)], PORTS)
    for rule, (direction, match) in zip(queued, expected, strict=True):
        port = nft.meta("iifname", PORTS[direction].encode())
        assert list(rule) == port + match + nft.set_mark(MARKS[direction]) + nft.queue(QUEUE)


def test_decided_flows_pass_before_anything_is_queued() -> None:
    first, *_ = rules([(profile(), frozenset({TCP}))], PORTS)
    assert list(first) == nft.meta("mark", nft.mark(DECIDED)) + nft.accept()


def test_a_rule_of_two_censors_is_there_once() -> None:
    used = profile()
    assert rules([(used, frozenset({TCP}))] * 2, PORTS) == rules([(used, frozenset({TCP}))], PORTS)
