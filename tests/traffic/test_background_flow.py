"""What background flows have in common: one loop with a timer, and what has arrived."""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING

from testbed.traffic.background_flow import Arrivals, Loop
from tests.traffic.flow_bench import Bench

if TYPE_CHECKING:
    from pathlib import Path


def test_a_loop_calls_who_watches_and_forgets_who_does_not() -> None:
    loop, called = Loop(), []
    ends = [os.pipe() for _ in range(2)]
    for name, (read, write) in zip("ab", ends, strict=True):
        os.write(write, b"x")
        loop.watch(read, select.POLLIN, lambda name=name: called.append(name))  # type: ignore[misc]
    loop.forget(ends[1][0])
    loop.wait(None)
    assert called == ["a"]
    for pair in ends:
        for descriptor in pair:
            os.close(descriptor)


def test_a_handler_may_forget_another_that_is_due_at_once() -> None:
    loop, called = Loop(), []
    pairs = [os.pipe() for _ in range(2)]
    low, high = sorted(read for read, _ in pairs)
    for _, write in pairs:
        os.write(write, b"x")

    def first() -> None:
        called.append("first")
        loop.forget(high)

    loop.watch(low, select.POLLIN, first)
    loop.watch(high, select.POLLIN, lambda: called.append("second"))
    loop.wait(None)
    assert called == ["first"]
    for pair in pairs:
        for descriptor in pair:
            os.close(descriptor)


def test_a_loop_ends_its_wait_at_the_instant() -> None:
    loop = Loop()
    due_ns = time.time_ns() + 1_000_000
    loop.wait(due_ns)
    assert time.time_ns() >= due_ns


def test_what_has_arrived_is_written_at_its_end_if_not_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    arrived = Arrivals(bench.log)
    for _ in range(3):
        arrived.add(1000)
    arrived.close()
    totals = [total for record in bench.records() for total in record["totals"]]
    assert totals == [1000, 3000]
