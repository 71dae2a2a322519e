from __future__ import annotations

from random import Random
from typing import Any

import pytest

from testbed.middlebox.craft import udp_datagram
from testbed.middlebox.opening import opener, reason_not_to_inspect
from testbed.middlebox.packet import ACK, RST, SYN, Direction, Packet
from tests.middlebox.build import Connection, profile

UP, DOWN = Direction.UP, Direction.DOWN


@pytest.mark.parametrize(
    ("direction", "flags", "expected"),
    [
        (UP, SYN, "inside"),
        (DOWN, SYN, "outside"),
        (UP, SYN | ACK, "unknown"),
        (DOWN, SYN | ACK, "unknown"),
        (UP, SYN | RST, "unknown"),
        (UP, ACK, "unknown"),
        (UP, 0, "unknown"),
    ],
)
def test_a_syn_alone_says_who_opened(direction: Direction, flags: int, expected: str) -> None:
    assert opener(Connection().packet(direction, flags)) == expected


@pytest.mark.parametrize(("direction", "expected"), [(UP, "inside"), (DOWN, "outside")])
def test_of_udp_the_first_datagram_says_it(direction: Direction, expected: str) -> None:
    data = udp_datagram(src=bytes(4), dst=bytes(4), sport=1, dport=443)
    assert opener(Packet.parse(data, direction)) == expected


@pytest.mark.parametrize(
    ("changes", "opened_by", "reason"),
    [
        ({}, "inside", None),
        ({}, "outside", "opened from outside"),
        ({}, "unknown", "opener unknown"),
        ({"trigger__opened_from": "any"}, "outside", None),
        ({"trigger__midstream": "first_packet"}, "unknown", None),
        ({"trigger__ports": [80]}, "inside", "other port"),
        ({"trigger__ports": [80, 443]}, "inside", None),
        ({"trigger__share": 0.0}, "inside", "not selected"),
    ],
)
def test_reasons_not_to_inspect(changes: dict[str, Any], opened_by: str, reason: str | None) -> None:
    packet = Connection().packet(UP, SYN)
    random = Random(1)  # noqa: S311
    assert reason_not_to_inspect(profile(**changes).trigger, packet, opened_by, random) == reason
