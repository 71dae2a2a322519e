from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from testbed.detectors.methods.wehe_population import (
    PopulationTest,
    WehePopulationDetector,
    find_delay,
    fixed_rates,
    is_positive,
    rate_peaks,
)
from testbed.detectors.observation import Observation, Role
from testbed.detectors.verdict import Outcome
from tests.detectors.build import (
    observation,
    steady,
)


def test_a_fixed_rate_of_originals_alone_is_found() -> None:
    rng = np.random.default_rng(1)
    controls = rng.uniform(2e6, 20e6, 300)
    limited = rng.normal(1.5e6, 0.03e6, 150)
    originals = np.concatenate([limited, rng.uniform(2e6, 20e6, 150)])
    positive = np.arange(300) < 150
    (peak,) = fixed_rates(originals, controls, positive)
    assert peak.rate_bps == pytest.approx(1.5e6, rel=0.05)
    assert peak.high_bps - peak.low_bps >= 0.5e6
    assert fixed_rates(controls, controls, positive) == []


def test_the_published_resolution_cannot_tell_140_kbit_from_nothing_and_a_finer_one_can() -> None:
    rng = np.random.default_rng(2)
    crowded = rng.normal(140e3, 5e3, 200)
    coarse, fine = rate_peaks(crowded), rate_peaks(crowded, bandwidth_bps=5e3)
    assert fine[0].rate_bps == pytest.approx(140e3, rel=0.05)
    assert fine[0].high_bps - fine[0].low_bps < 60e3
    assert all(peak.high_bps - peak.low_bps > 100e3 for peak in coarse)


def test_a_single_test_is_positive_after_bonferroni_or_not() -> None:
    rng = np.random.default_rng(3)
    slow, fast = rng.normal(1e6, 2e5, 100).clip(1), rng.normal(4e6, 8e5, 100).clip(1)
    assert is_positive(PopulationTest(slow, fast), tests=1000, rng=rng)
    assert not is_positive(PopulationTest(fast, fast), tests=1, rng=rng)
    assert not is_positive(PopulationTest(np.zeros(9), fast), tests=1, rng=rng)


def test_a_delayed_fall_is_dated_and_a_rise_is_none() -> None:
    rng = np.random.default_rng(4)
    falling = np.concatenate([rng.normal(9, 0.3, 60), rng.normal(1, 0.3, 140)])
    assert find_delay(falling) == pytest.approx(0.3, abs=0.03)
    assert find_delay(falling[::-1].copy()) is None
    assert find_delay(rng.normal(5, 0.3, 200)) is None
    assert find_delay(np.ones(5)) is None


def many(target_bps: float, *, count: int) -> Observation:
    rng = np.random.default_rng(5)
    transfers = []
    for place in range(count):
        label = {"pair": str(place)}
        for role, rate in ((Role.TARGET, target_bps), (Role.CONTROL, float(rng.uniform(3e6, 12e6)))):
            transfers.append(
                steady(
                    f"{role}{place}",
                    rate_bps=rate,
                    duration_s=12,
                    role=role,
                    started_s=place * 30,
                    jitter=0.3,
                    seed=place,
                    labels=label,
                )
            )
    return observation(*transfers)


def test_a_population_at_one_rate_is_throttled_and_a_small_one_is_open() -> None:
    verdict = WehePopulationDetector().detect(many(1.5e6, count=20))
    assert verdict.outcome is YES
    assert verdict.rate_bps == pytest.approx(1.5e6, rel=0.1)
    assert WehePopulationDetector().detect(many(1.5e6, count=5)).outcome is OPEN


YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def test_one_rate_of_many_tests_is_found_and_a_slowdown_in_proportion_is_none() -> None:
    rng = np.random.default_rng(11)
    controls = rng.uniform(2e6, 20e6, 100)
    positive = np.arange(100) < 60
    exact = np.where(positive, 1.5e6, controls)
    assert [peak.rate_bps for peak in fixed_rates(exact, controls, positive)] == [pytest.approx(1.5e6, abs=0.1e6)]
    spread = rng.uniform(2e6, 60e6, 400)
    assert fixed_rates(spread * 0.6, spread, np.ones(400, np.bool_)) == []


def test_a_rate_that_controls_have_too_is_discarded() -> None:
    rng = np.random.default_rng(12)
    crowded = np.where(np.arange(200) < 120, rng.normal(1.5e6, 0.02e6, 200), rng.uniform(4e6, 20e6, 200))
    assert fixed_rates(crowded, crowded[::-1].copy(), np.arange(200) < 120) == []


def population(rates: list[tuple[float, float]]) -> Observation:
    made = []
    for place, (target_bps, control_bps) in enumerate(rates):
        for role, rate in ((Role.TARGET, target_bps), (Role.CONTROL, control_bps)):
            one = steady(f"{role}{place}", rate_bps=rate, duration_s=10, role=role, jitter=0.3, seed=place)
            made.append(replace(one, started_s=place * 30.0, labels={"pair": str(place)}))
    return observation(*made)


def test_a_population_needs_more_than_ten_positives() -> None:
    rng = np.random.default_rng(13)
    controls = rng.uniform(3e6, 12e6, 12).tolist()
    eleven = [(1.5e6 if place < 11 else bps, bps) for place, bps in enumerate(controls)]
    ten = [(1.5e6 if place < 10 else bps, bps) for place, bps in enumerate(controls)]
    assert WehePopulationDetector().detect(population(eleven)).outcome is YES
    assert WehePopulationDetector().detect(population(ten)).outcome is NO
