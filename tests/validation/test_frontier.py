"""Frontiers: bisection finds where a detector finds half, asks for no value twice, and tells what contradicts it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.validation.frontier import find_frontier
from testbed.validation.suite import Frontier
from tests.validation.cells import scored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from testbed.validation.scoring.scores import Scored

WORDS = {True: "throttled", False: "inconclusive"}
AXIS: dict[str, Any] = {
    "scenario": "throttling/policed", "axis": "lines.0.down", "from": 1, "to": 1024, "scale": "logarithmic",
    "draws": 4, "steps": 5, "unit": "Mbit/s",
}  # fmt: skip


def world(
    finds: dict[str, Callable[[float, int], bool]], asked: Counter[float]
) -> Callable[[Sequence[float]], dict[float, list[Scored]]]:
    def ask(values: Sequence[float]) -> dict[float, list[Scored]]:
        asked.update(values)
        return {
            value: [
                scored(f"x@{value}/{draw}", "throttled", WORDS[rule(value, draw)], detector=name)
                for name, rule in finds.items()
                for draw in range(4)
            ]
            for value in values
        }

    return ask


@given(at=st.floats(1.1, 1000), rising=st.booleans())
def test_the_half_is_between_the_values_that_are_told(at: float, rising: bool) -> None:  # noqa: FBT001
    asked: Counter[float] = Counter()
    frontier = Frontier.model_validate(AXIS)
    (point,) = find_frontier(frontier, ["d"], world({"d": lambda value, _: (value > at) == rising}, asked))
    assert point.low is not None
    assert point.high is not None
    assert point.low <= at <= point.high
    assert point.high / point.low == pytest.approx(1024 ** (1 / 2**5))
    assert max(asked.values()) == 1
    assert len(asked) == 2 + 5
    assert point.violations == ()


def test_detectors_share_values() -> None:
    asked: Counter[float] = Counter()
    finds = {"d": lambda value, _: value < 40, "e": lambda value, _: value < 41, "f": lambda *_: True}
    points = find_frontier(Frontier.model_validate(AXIS), list(finds), world(finds, asked))
    assert len(asked) == 2 + 5
    assert (points[0].low, points[0].high) == (points[1].low, points[1].high)
    assert (points[2].low, points[2].high) == (None, None)
    assert {found for _, found, _ in points[2].shares} == {4}


def test_what_goes_against_the_trend_is_told() -> None:
    frontier = Frontier.model_validate({**AXIS, "from": 0, "to": 8, "scale": "linear", "steps": 3})
    found = {0: 4, 8: 0, 4: 1, 2: 3, 3: 4, 1: 4}
    (point,) = find_frontier(frontier, ["d"], world({"d": lambda value, draw: draw < found[int(value)]}, Counter()))
    assert (point.low, point.high) == (3, 4)
    assert point.violations == ((2.0, 3.0),)


def test_exactly_half_is_found() -> None:
    frontier = Frontier.model_validate({**AXIS, "from": 0, "to": 8, "scale": "linear", "steps": 1})
    found = {0: 4, 8: 0, 4: 2}
    (point,) = find_frontier(frontier, ["d"], world({"d": lambda value, draw: draw < found[int(value)]}, Counter()))
    assert (point.low, point.high) == (4, 8)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (20_000_000, "20000000"),
        (0.000128, "0.000128"),
        (1e15 / 3, "333333333000000"),
        (2.5, "2.5"),
        (0.3125004, "0.312504"),
        (1 / 3, "0.333336"),
    ],
)
def test_values_are_written_without_an_exponent_and_as_they_can_be_set(value: float, written: str) -> None:
    assert Frontier.model_validate(AXIS).written(value) == f"{written} Mbit/s"
