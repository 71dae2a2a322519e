"""Spans of a run, and what the plan says of a transfer's time."""

from __future__ import annotations

import math

import pytest

from testbed.records.influence import Span, planned_influence


def test_an_influence_is_cut_to_the_time_of_the_transfer() -> None:
    found = planned_influence("link", "a - b", "outage", Span(1.0, math.inf), Span(3.0, 7.0))
    assert (found["from_s"], found["until_s"], found["time_share"]) == (3.0, 7.0, 1.0)


def test_the_share_is_of_the_time_of_the_transfer() -> None:
    found = planned_influence("link", "a - b", "impairment", Span(6.0, 20.0), Span(2.0, 10.0))
    assert found["time_share"] == pytest.approx(0.5)


def test_a_transfer_that_took_no_time_was_acted_on_for_all_of_it() -> None:
    assert Span(2.0, 2.0).share_of(Span(2.0, 2.0)) == 1.0


@pytest.mark.parametrize(("span", "meets"), [((0, 1), False), ((0, 2), True), ((3, 3), True), ((4.5, 9), False)])
def test_spans_that_touch_meet(span: tuple[float, float], *, meets: bool) -> None:
    assert Span(*span).meets(Span(2, 4)) is meets
