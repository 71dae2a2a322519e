"""What a box follows where events change its profile and its place at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.guest.timed_event import LONGEST_RUN_S, BoxSpan
from testbed.scenario.box_course import course

if TYPE_CHECKING:
    from testbed.records.box_plan import ProfileChangePlan

A: Any
B: Any
A, B = ({"name": name} for name in "ab")


def change(at_s: float, profile: Any, *, forgets: bool = False) -> ProfileChangePlan:
    return {"at_s": at_s, "profile": profile, "forgets": forgets}


def away(from_s: float, until_s: float, *, is_there: bool = False) -> BoxSpan:
    return BoxSpan(box="x", from_s=from_s, until_s=until_s, why="gone", is_there=is_there)


def names(profile: Any, changes: list[ProfileChangePlan], spans: list[BoxSpan], **options: bool) -> list[Any]:
    found = course(profile, changes, spans, **options)
    told = [(each["at_s"], (each["profile"] or {"name": None})["name"], each["forgets"]) for each in found.changes]
    return [(found.profile or {"name": None})["name"], *told]


@pytest.mark.parametrize(
    ("changes", "spans", "expected"),
    [
        ([], [], ["a"]),
        ([], [away(5, 9)], ["a", (5, None, True), (9, "a", True)]),
        ([], [away(0, 9)], [None, (9, "a", True)]),
        ([], [away(5, LONGEST_RUN_S)], ["a", (5, None, True)]),
        ([], [away(5, 7), away(7, 9)], ["a", (5, None, True), (9, "a", True)]),
        ([], [away(5, 8), away(6, 9)], ["a", (5, None, True), (9, "a", True)]),
        ([change(7, B)], [away(5, 9)], ["a", (5, None, True), (9, "b", True)]),
        ([change(7, None)], [away(5, 9)], ["a", (5, None, True)]),
        ([change(9, B)], [away(5, 9)], ["a", (5, None, True), (9, "b", True)]),
        ([change(5, B)], [away(5, 9)], ["a", (5, None, True), (9, "b", True)]),
        (
            [change(3, B), change(12, A)], [away(5, 9)],
            ["a", (3, "b", False), (5, None, True), (9, "b", True), (12, "a", False)],
        ),
        ([change(3, None)], [away(5, 9)], ["a", (3, None, False)]),
        ([change(0, B)], [], ["a", (0, "b", False)]),
    ],
)  # fmt: skip
def test_a_box_that_is_away_is_a_cable_and_then_what_it_would_have_been(
    changes: list[ProfileChangePlan], spans: list[BoxSpan], expected: list[Any]
) -> None:
    assert names(A, changes, spans) == expected


def test_a_spare_place_has_a_box_while_it_is_said_to() -> None:
    there = [away(5, 9, is_there=True), away(20, 30, is_there=True)]
    assert names(A, [], there, is_spare=True) == [
        None, (5, "a", True), (9, None, True), (20, "a", True), (30, None, True),
    ]  # fmt: skip
    assert names(A, [], [], is_spare=True) == [None]
    idle = [*there, away(7, 25)]
    assert names(A, [], idle, is_spare=True) == [
        None,
        (5, "a", True),
        (7, None, True),
        (25, "a", True),
        (30, None, True),
    ]


def test_a_place_that_no_censor_is_named_for_stays_a_cable() -> None:
    assert names(None, [], [away(5, 9)]) == [None]


SPANS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 9)).map(lambda each: away(each[0], each[0] + each[1])), max_size=5
)
CHANGES = st.dictionaries(st.integers(1, 25), st.sampled_from([A, B, None]), max_size=4)


@given(CHANGES, SPANS)
def test_at_every_instant_a_box_follows_what_it_should(drawn: dict[int, Any], spans: list[BoxSpan]) -> None:
    changes = [change(at_s, profile) for at_s, profile in sorted(drawn.items())]
    found = course(A, changes, spans)
    assert [each["at_s"] for each in found.changes] == sorted({each["at_s"] for each in found.changes})
    for at_s in range(32):
        wanted = next((each["profile"] for each in reversed(changes) if each["at_s"] <= at_s), A)
        if any(span.from_s <= at_s < span.until_s for span in spans):
            wanted = None
        follows = next((each["profile"] for each in reversed(found.changes) if each["at_s"] <= at_s), found.profile)
        assert follows == wanted, at_s
