from __future__ import annotations

from functools import partial

import numpy as np

from testbed.detectors.tools.ks import resampling_ratio


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
