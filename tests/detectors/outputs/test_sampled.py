"""Samples of a byte counter: at intervals that are drawn and bounded, the last at the end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.outputs.sampled import bytes_at, samples
from tests.detectors.build import transfer

ITEM = transfer("t", [0.5, 1.0, 2.0], [100, 50, 7])


@pytest.mark.parametrize(("instant_s", "total"), [(0.0, 0), (0.499, 0), (0.5, 100), (1.5, 150), (9.0, 157)])
def test_the_counter_has_what_has_come(instant_s: float, total: int) -> None:
    assert bytes_at(ITEM, instant_s) == total


@given(st.floats(0, 5), st.floats(0, 20), st.text(max_size=5))
def test_intervals_are_bounded_and_the_last_sample_is_at_the_end(begin_s: float, span_s: float, lot: str) -> None:
    found = samples(ITEM, begin_s=begin_s, end_s=begin_s + span_s, lot=lot)
    assert found == samples(ITEM, begin_s=begin_s, end_s=begin_s + span_s, lot=lot)
    times = [begin_s, *(time for time, _ in found)]
    assert times[-1] == begin_s + span_s
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert all(0.025 - 1e-9 <= step <= 0.625 + 1e-9 for step in steps[:-1])
    assert all(bytes_at(ITEM, time) == total for time, total in found)


def test_another_lot_draws_other_intervals() -> None:
    assert samples(ITEM, begin_s=0, end_s=5, lot="a") != samples(ITEM, begin_s=0, end_s=5, lot="b")
