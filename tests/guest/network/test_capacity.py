"""A trace becomes changes of a link's rate, over and over."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from testbed.guest.network.capacity import steps, trace_changes

if TYPE_CHECKING:
    from testbed.records.link_plan import TracePlan

TRACE: TracePlan = {"times_s": [0.0, 0.5], "rates_bps": [1000, 2000], "period_s": 0.75}


class Rates:
    """Effects that are written down."""

    def __init__(self) -> None:
        self.set: list[tuple[str, str, int]] = []

    def set_rate(self, near: str, far: str, rate_bps: int) -> None:
        self.set.append((near, far, rate_bps))


def carried_out(**link: Any) -> list[tuple[str, str, int]]:
    plan: Any = {"between": ["a", "b"], "seed": 1, "trace": TRACE, **link}
    effects: Any = Rates()
    for change in islice(trace_changes(plan), 2):
        change.carry_out(effects)
    found: list[tuple[str, str, int]] = effects.set
    return found


def test_a_trace_begins_again() -> None:
    assert list(islice(steps(TRACE), 5)) == [(0.0, 1000), (0.5, 2000), (0.75, 1000), (1.25, 2000), (1.5, 1000)]


def test_a_step_that_changes_nothing_is_none() -> None:
    trace: TracePlan = {"times_s": [0.0, 1.0, 2.0], "rates_bps": [8, 8, 9], "period_s": 3.0}
    assert list(islice(steps(trace), 3)) == [(0.0, 8), (2.0, 9), (3.0, 8)]


def test_a_link_without_a_trace_does_not_change() -> None:
    assert list(trace_changes({"between": ["a", "b"], "seed": 1})) == []


def test_both_directions_change_unless_one_is_meant() -> None:
    assert carried_out() == [("a", "b", 1000), ("b", "a", 1000), ("a", "b", 2000), ("b", "a", 2000)]
    assert carried_out(toward="a") == [("b", "a", 1000), ("b", "a", 2000)]


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=20, unique=True), st.floats(0.001, 10))
def test_times_ascend_over_every_turn(rates: list[int], step_s: float) -> None:
    times = [number * step_s for number in range(len(rates))]
    trace: TracePlan = {"times_s": times, "rates_bps": rates, "period_s": step_s * len(rates)}
    found = list(islice(steps(trace), 3 * len(rates)))
    assert all(one[0] < other[0] for one, other in pairwise(found))
    assert [rate for _, rate in found] == rates * 3
