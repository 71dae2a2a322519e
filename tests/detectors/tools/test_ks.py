from __future__ import annotations

from functools import partial

import numpy as np

from testbed.detectors.tools.ks import ks_test, resampling_ratio


def test_resampling_agrees_where_the_lists_clearly_differ_or_are_alike() -> None:
    rng = np.random.default_rng(1)
    low, high, alike = rng.normal(1, 0.1, 100), rng.normal(9, 0.1, 100), rng.normal(1, 0.1, 100)
    again = partial(resampling_ratio, rng=rng)
    assert again(low, high, p=1e-9) == 1.0
    assert again(low, alike, p=0.8) > 0.9
    assert again(low, high, p=0.8) == 0.0


def test_resampling_is_repeatable() -> None:
    first, second = np.linspace(0, 1, 60), np.linspace(0.2, 1.2, 60)
    ratios = {resampling_ratio(first, second, p=0.01, rng=np.random.default_rng(7)) for _ in range(3)}
    assert len(ratios) == 1


def test_p_and_distance_are_those_of_the_two_sided_test() -> None:
    first, second = np.array([1.0, 2.0, 3.0]), np.array([2.5, 3.5, 4.5, 5.5])
    p, distance = ks_test(first, second)
    assert distance == 0.75  # at 3: all of the first lie below, and one of four of the second
    assert 0.2 < p < 0.4


def test_ties_are_no_warning() -> None:
    assert ks_test(np.ones(30), np.ones(40)) == (1.0, 0.0)


def test_one_sample_has_no_half() -> None:
    assert resampling_ratio(np.ones(1), np.ones(9), p=0.01, rng=np.random.default_rng(1)) == 0.0
