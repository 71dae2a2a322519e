"""Background flows over TCP, between two sockets of this machine's loopback interface."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from testbed.errors import GuestError
from testbed.traffic.stream_flow import StreamFlow, open_port, set_congestion_control
from tests.traffic.flow_bench import Bench, Loopback, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.background import BackgroundPlan


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def connected_stream(bench: Bench, plan: BackgroundPlan) -> StreamFlow:
    port = open_port(plan, Loopback())
    flow = StreamFlow(plan, Loopback(), bench.loop, (bench.log, bench.log))
    bench.loop.wait(None)
    accepted, peer = port.accept()
    assert peer[1] == flow.port
    accepted.settimeout(0)
    flow.accepted(accepted)
    port.close()
    return flow


@pytest.mark.parametrize("opener", ["s", "a"])
def test_a_bulk_flow_fills_its_connection_until_it_is_stopped(bench: Bench, opener: str) -> None:
    flow = connected_stream(bench, plan_of("bulk", opener=opener))
    for _ in range(200):
        bench.loop.wait(None)
    flow.stop()
    while not flow.is_over:
        bench.loop.wait(None)
    *_, last, finished = bench.records()
    assert finished["ok"]
    assert last["totals"][-1] == finished["sent"] > 100_000


def test_a_web_flow_sends_its_objects_one_after_the_other_and_begins_again(bench: Bench) -> None:
    flow = connected_stream(bench, plan_of("web", objects=[[1000, 0.0], [70_000, 0.0]]))
    for _ in range(3):
        while flow.due_ns() is None:
            bench.loop.wait(None)
        flow.act()
    while flow.due_ns() is None:
        bench.loop.wait(None)
    flow.stop()
    while not flow.is_over:
        bench.loop.wait(None)
    assert bench.records()[-1]["sent"] == 2 * 71_000


def test_a_flow_that_is_refused_says_so(bench: Bench) -> None:
    flow = StreamFlow(plan_of("bulk"), Loopback(), bench.loop, (bench.log, bench.log))
    if not flow.is_over:
        bench.loop.wait(None)
    assert bench.records()[-1]["error"] == "connecting failed: Connection refused"


def test_a_congestion_control_that_the_kernel_has_not_is_refused() -> None:
    with socket.socket() as stream, pytest.raises(GuestError, match="no-such-control"):
        set_congestion_control(stream, "no-such-control")
