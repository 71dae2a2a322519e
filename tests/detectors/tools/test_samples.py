from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.tools.samples import MAX_SLICES, arrivals, slice_bytes, slice_speeds
from tests.detectors.build import transfer

MADE = transfer("t", [0.1, 0.9, 1.0, 3.5], [10, 20, 40, 80])


@pytest.mark.parametrize(
    ("width_s", "until_s", "expected"),
    [
        (1.0, None, [30, 40, 0]),  # an arrival on a border belongs to the slice that it begins; the last is partial
        (1.0, 2.0, [30, 40]),
        (0.5, 1.0, [10, 20]),
        (3.5, None, [70]),  # the last byte comes when the slice is over
        (4.0, None, []),
        (1.0, 99.0, [30, 40, 0]),  # nothing is known of the time after the end
    ],
)
def test_bytes_are_counted_in_whole_slices(width_s: float, until_s: float | None, expected: list[float]) -> None:
    assert slice_bytes(MADE, width_s=width_s, until_s=until_s).tolist() == expected


def test_speeds_are_bits_a_second() -> None:
    assert slice_speeds(MADE, width_s=0.5, until_s=1.0).tolist() == [160.0, 320.0]


def test_arrivals_are_the_steps_of_the_timeline() -> None:
    times, sizes = arrivals(MADE)
    assert (times.tolist(), sizes.tolist()) == ([0.1, 0.9, 1.0, 3.5], [10, 20, 40, 80])


@pytest.mark.parametrize("width_s", [0.0, -1.0, float("nan")])
def test_slices_without_a_length_are_refused(width_s: float) -> None:
    with pytest.raises(ValueError, match="slices of"):
        slice_bytes(MADE, width_s=width_s)


def test_no_more_slices_are_made_than_memory_has_room_for() -> None:
    assert len(slice_bytes(transfer("t", [10.0], [1]), width_s=1e-9)) == MAX_SLICES


points = st.lists(st.tuples(st.floats(0, 50), st.integers(0, 10**6)), max_size=50)


@given(points=points, width_s=st.floats(0.01, 20))
def test_no_byte_is_counted_twice(points: list[tuple[float, int]], width_s: float) -> None:
    points.sort(key=lambda point: point[0])
    made = transfer("t", [time for time, _ in points], [size for _, size in points])
    counted = slice_bytes(made, width_s=width_s)
    border = len(counted) * width_s
    assert counted.sum() <= made.total_bytes
    assert counted.sum() >= sum(size for time, size in points if time < border * (1 - 1e-9))
    assert not len(counted) or np.isfinite(counted).all()
