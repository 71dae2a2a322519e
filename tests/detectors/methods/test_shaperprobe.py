from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.methods.shaperprobe import ShaperprobeDetector, _Series, find_level_shift
from testbed.detectors.verdict import Outcome
from tests.detectors.build import observation, steady, transfer

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def test_shaperprobe_finds_a_clean_step_eight_values_after_it() -> None:
    rates = [8200.0 + i for i in range(12)] + [1045.0 + i for i in range(12)]
    times = [0.5 * i for i in range(24)]
    shift = find_level_shift(times, rates, slice_s=0.5)
    assert shift is not None
    assert (shift.found_at, shift.start) == (19, 12)
    passed_kb = sum(rates[:12]) * 0.5 / 8
    middle = passed_kb - 12 * shift.rate_kbps * 0.5 / 8
    half = (8 * passed_kb / 6.0 - shift.rate_kbps) * 0.5 / 16
    assert shift.bucket_min_kb == int(int(middle - half) * 1.024)
    assert shift.bucket_max_kb == int(int(middle + half) * 1.024)


@pytest.mark.parametrize(
    "rates",
    [[1000.0] * 40, [1000.0 - i % 2 for i in range(40)], [500.0] * 20 + [1000.0] * 20, [1000.0] * 20 + [950.0] * 20],
)
def test_shaperprobe_finds_nothing_where_no_level_falls_by_a_tenth(rates: list[float]) -> None:
    assert find_level_shift([0.3 * i for i in range(40)], rates) is None


def test_shaperprobe_smooths_a_single_outlier() -> None:
    rates = [1000.0 + i % 3 for i in range(30)]
    rates[9] = 100.0
    assert find_level_shift([0.3 * i for i in range(30)], rates) is None


def test_shaperprobe_is_blind_to_a_limit_from_the_first_byte() -> None:
    verdict = ShaperprobeDetector().detect(observation(steady("t", rate_bps=140e3, duration_s=25)))
    assert verdict.outcome is NO


def test_a_smoothed_value_takes_the_rank_of_what_it_passes() -> None:
    """Equal rates are the rule where packets have one size: a rank moved step by step counts each of them."""
    per_packet = 1400 * 8 / 0.3 / 1e3
    packets = [7, 8, 5, 6, 8, 1, 3, 4, 4, 4, 1, 3, 4]
    assert find_level_shift([0.3 * place for place in range(13)], [per_packet * each for each in packets]) is None


def test_a_smoothed_value_that_falls_takes_the_least_rank_and_one_that_rises_the_greatest() -> None:
    falling = _Series()
    falling.rates, falling.ranks = (
        [2.0, 2.0, 3.0, 2.0, 2.0, 9.0, 2.0, 2.0, 3.0, 2.0, 2.0],
        [1, 1, 9, 1, 1, 11, 1, 1, 9, 1, 1],
    )
    falling._smooth(5)
    assert (falling.rates[5], falling.ranks[5], falling.ranks[2], falling.ranks[0]) == (2.0, 9, 10, 1)
    rising = _Series()
    rising.rates, rising.ranks = (
        [5.0, 5.0, 3.0, 5.0, 5.0, 1.0, 5.0, 5.0, 3.0, 5.0, 5.0],
        [5, 5, 2, 5, 5, 1, 5, 5, 3, 5, 5],
    )
    rising._smooth(5)
    assert (rising.rates[5], rising.ranks[5], rising.ranks[2], rising.ranks[8]) == (5.0, 3, 1, 2)


def test_a_bucket_of_shaperprobes_kb_is_told_in_bytes() -> None:
    rates = np.concatenate([np.full(10, 8000.0), np.full(12, 1000.0)])
    shift = find_level_shift((np.arange(22) * 0.3).tolist(), rates.tolist())
    assert shift is not None
    sizes = np.round(rates * 1e3 * 0.3 / 8).astype(int)
    verdict = ShaperprobeDetector().detect(
        observation(transfer("t", [0.3 * (place + 1) - 0.01 for place in range(22)] + [6.7], [*sizes.tolist(), 1]))
    )
    middle_kb = (shift.bucket_min_kb + shift.bucket_max_kb) / 2
    assert verdict.burst_bytes == pytest.approx(middle_kb * 1000 / 1.024, rel=1e-6)
