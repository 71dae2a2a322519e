"""Background flows over UDP, between two sockets of this machine's loopback interface."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from testbed.traffic.datagram_flow import DatagramFlow, flow_of
from testbed.traffic.stream_flow import open_port
from tests.traffic.flow_bench import Bench, Loopback, plan_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_datagrams_are_due_at_the_rate_and_carry_their_flow(bench: Bench) -> None:
    plan = plan_of("udp", packet_bytes=500, rate_bps=1_000_000, arrivals="constant", opener="s")
    port = open_port(plan, Loopback())
    flow = DatagramFlow(plan, Loopback(), (bench.log, bench.log), number=3)
    due = []
    for _ in range(5):
        due.append(flow.due_ns() or 0)
        flow.act()
        datagram = port.recv(2000)
        assert (len(datagram), flow_of(datagram)) == (472, 3)
        flow.arrived(datagram)
    port.close()
    assert [later - earlier for earlier, later in pairwise(due)] == [4_000_000] * 4
    flow.stop()
    assert flow.due_ns() is None
    flow.finish()
    assert bench.records()[-1]["sent"] == 5 * 472


def test_what_is_too_short_is_no_datagram_of_ours() -> None:
    assert flow_of(b"\0" * 11) is None
