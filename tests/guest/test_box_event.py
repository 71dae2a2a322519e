"""Whose boxes an event means: of some lines or all, of one kind, where they stand and where they may be moved to."""

from __future__ import annotations

import pytest

from testbed.guest.events.days import Days
from testbed.guest.network.build import load_topology
from testbed.guest.timed_event import EventError
from testbed.scenario import library

LINES = [
    {"name": "a", "kind": "mobile", "tspu": True, "also_after_hops": [5]},
    {"name": "b", "kind": "landline", "tspu": True},
    {"name": "c", "kind": "landline", "tspu": False},
]
TOPOLOGY = load_topology(str(library.find("topologies", "russia2021")), "russia2021", {"lines": LINES})


@pytest.mark.parametrize(
    ("lines", "place", "boxes", "spare"),
    [
        (None, "tspu", ["a-tspu", "b-tspu"], ["a-tspu-after-5"]),
        (("b",), "tspu", ["b-tspu"], []),
        (("a", "c"), "blocker", ["a-blocker", "c-blocker"], []),
    ],
)
def test_boxes_of_lines_and_of_a_kind(
    lines: tuple[str, ...] | None, place: str, boxes: list[str], spare: list[str]
) -> None:
    event = Days(share=0.5, lines=lines, place=place)
    event.check(TOPOLOGY)
    assert [event.boxes(TOPOLOGY, spare=is_spare) for is_spare in (False, True)] == [boxes, spare]
    assert event.acts_on_boxes()


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (Days(share=0.5, lines=("d",)), "no line 'd' (there: a, b, c)"),
        (Days(share=0.5, lines=("c",)), "line c has no place for a box of kind tspu"),
        (Days(share=0.5, place="wall"), "no line has a place for a box of kind wall (there: blocker, tspu)"),
    ],
)
def test_what_is_not_there_is_refused(event: Days, problem: str) -> None:
    with pytest.raises(EventError) as caught:
        event.check(TOPOLOGY)
    assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [(None, None, True), (None, ("a",), True), (("a", "b"), ("b", "c"), True), (("a",), ("b",), False)],
)
def test_two_events_share_a_box_or_do_not(first: tuple[str, ...], second: tuple[str, ...], *, shared: bool) -> None:
    one, other = (Days(share=0.5, lines=lines) for lines in (first, second))
    assert one.shares_boxes_with(other) is other.shares_boxes_with(one) is shared
    assert not one.shares_boxes_with(Days(share=0.5, lines=second, place="blocker"))
