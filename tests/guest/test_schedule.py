"""Timed changes in their order: each is carried out, also where several concern one link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.guest.events.outage import Outage
from testbed.guest.schedule import LinkAlterations, Schedule

if TYPE_CHECKING:
    from testbed.guest.timed_event import TimedEvent
    from testbed.records.jsonl import Json
    from testbed.records.link_plan import LinkPlan, TracePlan
    from testbed.records.plan import EventPlan

FAILED, RESTORED = "link_failed", "link_restored"
START_NS = 1_615_366_800_000_000_000
GATEWAY = ("gateway", "state")


def outage(begins: float, until: float, link: tuple[str, str] = GATEWAY) -> EventPlan:
    fields: dict[str, Json] = {"from_": begins, "until": until, "link": list(link), "about": "a reason"}
    return {"kind": "outage", "fields": fields}


class Notebook:
    """Effects on paper: what was recorded, and whether the link was out then."""

    def __init__(self) -> None:
        self.alterations = LinkAlterations()
        self.recorded: list[tuple[str, list[str], bool]] = []

    def alter_link(self, ends: tuple[str, str], by: TimedEvent, **options: float | str) -> None:
        self.alterations.add(ends, by, options)

    def set_rate(self, near: str, far: str, rate_bps: int) -> None:
        self.recorded.append((f"{rate_bps} bit/s", [near, far], False))

    def restore_link(self, ends: tuple[str, str], by: TimedEvent) -> None:
        assert self.alterations.remove(ends, by) == {"loss"}

    def record(self, event: str, **fields: Json) -> None:
        link = fields["link"]
        assert isinstance(link, list)
        self.recorded.append((event, list(map(str, link)), frozenset(map(str, link)) in self.alterations.options()))


def states(planned: list[EventPlan]) -> list[tuple[float, str, bool]]:
    schedule, notebook, times = Schedule(planned, START_NS), Notebook(), []
    while (at_ns := schedule.next_ns()) is not None:
        times.append((at_ns - START_NS) / 1e9)
        schedule.carry_out_next(notebook)
    return [(at, event, is_out) for at, (event, _, is_out) in zip(times, notebook.recorded, strict=True)]


@pytest.mark.parametrize(
    ("planned", "expected"),
    [
        ([], []),
        ([outage(0, 240)], [(0, FAILED, True), (240, RESTORED, False)]),
        (
            [outage(0, 100), outage(50, 200)],
            [(0, FAILED, True), (50, FAILED, True), (100, RESTORED, True), (200, RESTORED, False)],
        ),
        (
            [outage(0, 200), outage(50, 100, ("state", "gateway"))],
            [(0, FAILED, True), (50, FAILED, True), (100, RESTORED, True), (200, RESTORED, False)],
        ),
        (
            [outage(10, 20), outage(20, 30)],
            [(10, FAILED, True), (20, FAILED, True), (20, RESTORED, True), (30, RESTORED, False)],
        ),
        (
            [outage(0, 10), outage(5, 20, ("gateway", "origin"))],
            [(0, FAILED, True), (5, FAILED, True), (10, RESTORED, False), (20, RESTORED, False)],
        ),
        (
            [outage(0, 10), outage(0, 10)],
            [(0, FAILED, True), (0, FAILED, True), (10, RESTORED, True), (10, RESTORED, False)],
        ),
    ],
)  # fmt: skip
def test_a_link_is_out_while_one_of_its_outages_lasts(
    planned: list[EventPlan], expected: list[tuple[float, str, bool]]
) -> None:
    assert states(planned) == expected


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=8))
def test_at_every_instant_a_link_is_as_its_outages_say(spans: list[tuple[int, int]]) -> None:
    planned = [outage(begins, begins + length) for begins, length in spans]
    is_out, found = False, {}
    for at_s, _, state in states(planned):
        is_out = found[at_s] = state
    assert not is_out
    for at_s, state in found.items():
        assert state == any(begins <= at_s < begins + length for begins, length in spans)


def event(about: str) -> Outage:
    return Outage(link=GATEWAY, from_=0.0, until=1.0, about=about)


def test_of_several_events_the_one_that_began_last_decides_and_the_others_come_back() -> None:
    alterations, link = LinkAlterations(), frozenset(GATEWAY)
    slow, lossy, slower = event("slow"), event("lossy"), event("slower")
    alterations.add(GATEWAY, slow, {"delay": "50 ms"})
    alterations.add(("state", "gateway"), lossy, {"loss": 10.0})
    alterations.add(GATEWAY, slower, {"delay": "90 ms"})
    assert alterations.options() == {link: {"delay": "90 ms", "loss": 10.0}}
    assert alterations.remove(GATEWAY, slower) == {"delay"}
    assert alterations.options() == {link: {"delay": "50 ms", "loss": 10.0}}
    assert alterations.remove(GATEWAY, slow) == {"delay"}
    assert alterations.remove(GATEWAY, lossy) == {"loss"}
    assert alterations.options() == {}


def test_what_an_event_has_not_altered_it_does_not_put_back() -> None:
    alterations = LinkAlterations()
    alterations.add(GATEWAY, event("one"), {"loss": 1.0})
    assert alterations.remove(GATEWAY, event("one")) == set()
    assert alterations.remove(("mobile", "mobile-r1"), event("other")) == set()
    assert alterations.options() == {frozenset(GATEWAY): {"loss": 1.0}}


def test_traces_and_events_come_in_the_order_of_time() -> None:
    trace: TracePlan = {"times_s": [0.0, 2.0], "rates_bps": [8000, 16_000], "period_s": 4.0}
    link: LinkPlan = {"between": ["a", "b"], "toward": "b", "seed": 1, "trace": trace}
    outage: EventPlan = {"kind": "outage", "fields": {"link": ["c", "d"], "from_": 1, "until": 5, "about": ""}}
    schedule, notebook, times = Schedule([outage], START_NS, [link]), Notebook(), []
    for _ in range(6):
        times.append(((schedule.next_ns() or 0) - START_NS) / 1e9)
        schedule.carry_out_next(notebook)
    assert times == [0, 1, 2, 4, 5, 6]
    assert [event for event, _, _ in notebook.recorded] == [
        "8000 bit/s", "link_failed", "16000 bit/s", "8000 bit/s", "link_restored", "16000 bit/s",
    ]  # fmt: skip
