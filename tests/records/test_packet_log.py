"""A log as packets: in the order of time, with the ends of their flows, and few of them in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.records.packet_log import PacketLog
from tests.records.build import ORIGIN, PORT, SUBSCRIBER, box, dropped, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDS = (SUBSCRIBER, PORT, ORIGIN, 443)
FOREVER = 1 << 62


def log(*records: Any, until_ns: int = FOREVER) -> PacketLog:
    found = PacketLog(iter(records), start_ns=0)
    found.until_ns = until_ns
    return found


def test_a_record_of_a_flow_has_its_ends() -> None:
    (found,) = log(opened(0.0), dropped(1.0, seq=5, ip_id=7)).until(FOREVER)
    assert (found.ends, found.seq, found.ip_id, found.t_ns) == (ENDS, 5, 7, 10**9)
    assert (found.is_fate, found.makes_a_packet, found.upwards) == (True, False, False)


def test_a_number_that_is_used_again_stands_for_the_later_flow() -> None:
    records = opened(0.0), dropped(1.0, seq=1, ip_id=1), opened(2.0, inside_port=9), dropped(3.0, seq=2, ip_id=2)
    assert [each.ends and each.ends[1] for each in log(*records).until(FOREVER)] == [PORT, 9]


def test_what_is_not_about_a_packet_is_passed_over() -> None:
    assert not list(log(opened(0.0), box("rule_matched", 1.0, rule="t.co")).until(FOREVER))


def test_records_come_in_the_order_of_time_and_those_of_one_instant_in_that_of_the_log() -> None:
    times = [(2.0, 1), (1.0, 2), (3.0, 3), (1.0, 4)]
    found = log(*(dropped(t, seq=0, ip_id=ip_id) for t, ip_id in times)).until(FOREVER)
    assert [each.ip_id for each in found] == [2, 4, 1, 3]


def test_records_are_given_out_up_to_an_instant_and_go_on_from_there() -> None:
    found = log(*(dropped(t, seq=0, ip_id=round(t)) for t in (1.0, 2.0, 3.0)))
    assert [each.ip_id for each in found.until(2 * 10**9)] == [1, 2]
    assert [each.ip_id for each in found.until(FOREVER)] == [3]


def test_what_came_after_the_boxs_end_is_left_out() -> None:
    found = log(dropped(1.0, seq=0, ip_id=1), dropped(2.0, seq=0, ip_id=2), until_ns=2 * 10**9)
    assert [each.ip_id for each in found.until(FOREVER)] == [1]


@pytest.mark.parametrize("asked_s", [5, 500])
def test_no_more_of_a_long_log_is_read_than_is_asked_for(asked_s: int) -> None:
    read = 0

    def records() -> Iterator[Any]:
        nonlocal read
        for t in range(10_000):
            read += 1
            yield dropped(float(t), seq=0, ip_id=1)

    found = PacketLog(records(), start_ns=0)
    assert len(list(found.until(asked_s * 10**9))) == asked_s + 1
    assert read < asked_s + 20
