"""Outages as changes: each is served, also where several overlap on one link."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.guest.events.outage import Outages

FAILED, RESTORED = "link_failed", "link_restored"


def outage(begins: float, until: float, link: tuple[str, str] = ("gateway", "state")) -> dict[str, Any]:
    return {"from_s": begins, "until_s": until, "link": list(link), "about": "a reason"}


def states(planned: list[dict[str, Any]]) -> list[tuple[float, str, bool]]:
    outages, found = Outages(planned), []
    while (at_s := outages.next_s()) is not None:
        change = outages.next_change()
        found.append((at_s, change.event, change.is_out))
    return found


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
    ],
)  # fmt: skip
def test_a_link_is_out_while_one_of_its_outages_lasts(
    planned: list[dict[str, Any]], expected: list[tuple[float, str, bool]]
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
