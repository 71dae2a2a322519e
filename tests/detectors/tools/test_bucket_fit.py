from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.tools.bucket_fit import bucket_depth

arrivals = st.lists(st.tuples(st.floats(0, 10), st.integers(1, 3000)), min_size=1, max_size=60)


def brute_force_depth(times: list[float], sizes: list[int], rate_bps: float) -> float:
    """Try every pair of arrivals."""
    return max(
        sum(sizes[first : last + 1]) - rate_bps / 8 * (times[last] - times[first])
        for first in range(len(times))
        for last in range(first, len(times))
    )


@given(points=arrivals, rate_bps=st.floats(1, 1e6))
def test_the_running_minimum_finds_the_least_depth(points: list[tuple[float, int]], rate_bps: float) -> None:
    points.sort(key=lambda point: point[0])
    times, sizes = [time for time, _ in points], [size for _, size in points]
    found = bucket_depth(np.array(times), np.array(sizes, np.float64), rate_bps=rate_bps)
    assert found == pytest.approx(brute_force_depth(times, sizes, rate_bps), rel=1e-9, abs=1e-6)


@given(points=arrivals, rate_bps=st.floats(1e3, 1e6))
def test_a_bucket_of_that_depth_lets_all_pass_and_a_smaller_one_does_not(
    points: list[tuple[float, int]], rate_bps: float
) -> None:
    points.sort(key=lambda point: point[0])
    times = np.array([time for time, _ in points])
    sizes = np.array([size for _, size in points], np.float64)
    depth = bucket_depth(times, sizes, rate_bps=rate_bps)

    def all_pass(limit: float) -> bool:
        level, last = limit, float(times[0])
        for time, size in zip(times.tolist(), sizes.tolist(), strict=True):
            level = min(limit, level + rate_bps / 8 * (time - last)) - size
            last = time
            if level < 0:
                return False
        return True

    assert all_pass(depth + 1e-3)
    assert not all_pass(depth - 1e-3)


def test_nothing_sent_needs_no_bucket() -> None:
    assert bucket_depth(np.zeros(0), np.zeros(0), rate_bps=1e3) == 0
