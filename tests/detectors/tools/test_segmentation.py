from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.tools.segmentation import Within, around_kernel_mean, around_mean, changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SERIES = st.lists(st.floats(-5, 5, width=32), min_size=4, max_size=9).map(np.array)


def spread(values: NDArray[np.float64]) -> float:
    return float(((values - values.mean()) ** 2).sum())


def total(values: NDArray[np.float64], places: tuple[int, ...], penalty: float) -> float:
    bounds = [0, *places, len(values)]
    return sum(spread(values[low:high]) + penalty for low, high in pairwise(bounds))


def allowed(n: int, *, min_size: int, jump: int) -> list[tuple[int, ...]]:
    """Every division of a series whose segments are long enough and begin where they may."""
    places = range(jump, n, jump)
    every = [chosen for count in range(n) for chosen in combinations(places, count)]
    return [chosen for chosen in every if all(high - low >= min_size for low, high in pairwise([0, *chosen, n]))]


@given(SERIES, st.floats(0.1, 20), st.integers(1, 3), st.integers(1, 3))
def test_no_division_costs_less_than_the_one_found(
    values: NDArray[np.float64], penalty: float, min_size: int, jump: int
) -> None:
    found = tuple(changes(len(values), around_mean(values), penalty=penalty, min_size=min_size, jump=jump))
    divisions = allowed(len(values), min_size=min_size, jump=jump)
    assert found in divisions
    least = min(total(values, places, penalty) for places in divisions)
    assert total(values, found, penalty) == pytest.approx(least, abs=1e-6)


def test_a_step_far_above_zero_is_found_as_one_at_zero() -> None:
    values = np.repeat([0.0, 1.0, 0.0], 20)
    for level in (0.0, 1e7):
        assert changes(60, around_mean(values + level), penalty=1.0, min_size=2) == [20, 40]


def test_a_kernel_sees_a_spread_that_changes_and_a_mean_does_not() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(0, 0.1, 100), rng.normal(0, 5.0, 100)])
    [place] = changes(200, around_kernel_mean(values), penalty=5, min_size=2, jump=5)
    assert abs(place - 100) <= 5
    assert changes(200, around_mean(values), penalty=1e4, min_size=2) == []


def test_values_that_are_all_equal_have_no_change() -> None:
    assert changes(30, around_mean(np.ones(30)), penalty=0.1, min_size=2) == []
    assert changes(30, around_kernel_mean(np.ones(30)), penalty=0.1, min_size=2) == []


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("model", "within"), [("l2", around_mean), ("rbf", around_kernel_mean)])
def test_ruptures_finds_the_same(model: str, within: Callable[[NDArray[np.float64]], Within], seed: int) -> None:
    """The library's PELT, in Python, is what the released analysis of wehe calls."""
    ruptures = pytest.importorskip("ruptures", reason="it has no wheel for this Python")
    rng = np.random.default_rng(seed)
    levels = rng.normal(0, 3, rng.integers(1, 6))
    values = np.concatenate([level + rng.normal(0, 1, rng.integers(5, 60)) for level in levels])
    for jump, penalty in ((1, 4.0), (5, 20.0)):
        theirs = ruptures.Pelt(model=model, min_size=2, jump=jump).fit(values).predict(pen=penalty)[:-1]
        ours = changes(len(values), within(values), penalty=penalty, min_size=2, jump=jump)
        assert ours == theirs
