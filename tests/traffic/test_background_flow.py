"""Background flows between two sockets of this machine's loopback interface."""

from __future__ import annotations

import json
import socket
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import GuestError
from testbed.records.jsonl import LineWriter
from testbed.traffic.background_flow import DatagramFlow, Loop, StreamFlow, flow_of, open_port, set_congestion_control
from testbed.traffic.log import TransferLog

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.background import BackgroundPlan


class Loopback:
    def open(self, kind: socket.SocketKind, *, at_opener: bool) -> socket.socket:
        del at_opener
        return socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)

    def address(self, *, of_opener: bool) -> str:
        del of_opener
        return "127.0.0.1"


def plan_of(kind: Any, **more: Any) -> BackgroundPlan:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    plan: Any = {
        "id": "background/01", "kind": kind, "name": "n", "line": "a", "direction": "download", "sender": "s",
        "receiver": "a", "opener": "a", "inside": "a", "port": port, "seed": 7, "flows": 1,
        "congestion_control": "cubic", **more,
    }  # fmt: skip
    plan_: BackgroundPlan = plan
    return plan_


class Bench:
    """A flow, what it writes down, and a loop that runs it for so many rounds."""

    def __init__(self, path: Path) -> None:
        self.path = path / "m.jsonl"
        self.writer = LineWriter(self.path)
        self.log = TransferLog(self.writer, transfer="x", side="client", start_ns=time.time_ns())
        self.loop = Loop()

    def records(self) -> list[dict[str, Any]]:
        self.writer.close()
        return [json.loads(line) for line in self.path.read_text().splitlines()]


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
    flow = connected_stream(bench, plan_of("web", objects=[(1000, 0.0), (70_000, 0.0)]))
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
