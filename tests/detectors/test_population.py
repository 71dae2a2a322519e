"""The methods for many tests or several paths: Wehe's population rule, WeHeY, DiffProbe, Anderson, PELT, the crowd."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.methods.anderson import AndersonDetector, falls
from testbed.detectors.methods.crowd import DATA_SET_RULE, PAGE_RULE, RATIO_RULE, CrowdDetector, CrowdRule
from testbed.detectors.methods.diffprobe import DiffProbeDetector, delays_differ, losses_differ
from testbed.detectors.methods.pelt import PeltDetector, change_points
from testbed.detectors.methods.wehe_population import (
    PopulationDetector,
    PopulationTest,
    find_delay,
    fixed_rates,
    is_positive,
    rate_peaks,
)
from testbed.detectors.methods.wehey import WeheyDetector, common_policer, per_client_queue
from testbed.detectors.observation import Observation, Role
from testbed.detectors.tools.daily import DailySeries, daily_series
from testbed.detectors.tools.delivery import Fates
from testbed.detectors.verdict import Outcome
from tests.detectors.build import DAY_S, MARCH_10_S, bottleneck_flow, flow_transfer, observation, speeds, steady

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    verdict = PopulationDetector().detect(many(1.5e6, count=20))
    assert verdict.outcome is YES
    assert verdict.rate_bps == pytest.approx(1.5e6, rel=0.1)
    assert PopulationDetector().detect(many(1.5e6, count=5)).outcome is OPEN


def test_wehey_sees_one_queue_when_both_paths_together_get_what_one_gets() -> None:
    rng = np.random.default_rng(6)
    alone = rng.normal(2e6, 1e5, 80)
    variation = rng.lognormal(np.log(8.5), 1, 80)
    assert per_client_queue(alone, rng.normal(2e6, 1e5, 80), variation, rng=rng) < 0.05
    assert per_client_queue(alone, rng.normal(4e6, 1e5, 80), variation, rng=rng) > 0.05


SHARES = np.array([0.02, 0.3])


def losing(pattern: NDArray[np.float64], seed: int) -> Fates:
    """Return a packet every 2 ms; in each second the share of ``pattern`` is lost."""
    rng = np.random.default_rng(seed)
    times = np.arange(0, len(pattern), 0.002)
    lost = rng.random(len(times)) < pattern[np.minimum(times.astype(int), len(pattern) - 1)]
    return Fates(times, np.full(len(times), 1500.0), lost, np.full(len(times), 0.02), paired=False)


def test_wehey_sees_one_policer_when_losses_rise_and_fall_together() -> None:
    rng = np.random.default_rng(7)
    pattern = rng.choice(SHARES, 60)
    together = common_policer(losing(pattern, 1), losing(pattern, 2), rtt_s=0.03)
    apart = common_policer(losing(pattern, 1), losing(rng.choice(SHARES, 60), 2), rtt_s=0.03)
    assert together is not None
    assert apart is not None
    assert together > 0.95 > apart
    assert common_policer(losing(pattern[:2], 1), losing(pattern[:2], 2), rtt_s=0.03) is None


def test_wehey_needs_two_labelled_paths() -> None:
    assert WeheyDetector().detect(observation(steady("t", rate_bps=1e6, duration_s=5))).outcome is OPEN


def test_diffprobes_delay_test_sees_longer_waits_only() -> None:
    rng = np.random.default_rng(8)
    short, long = rng.exponential(0.02, 300), rng.exponential(0.02, 300) + 0.05
    p, longer = delays_differ(long, short, rng=rng)
    assert (p, longer) == (1 / 201, True)
    assert delays_differ(short, long, rng=rng)[1] is False
    assert delays_differ(short, rng.exponential(0.02, 300), rng=rng)[0] > 0.05


@pytest.mark.parametrize(
    ("counts", "p"),
    [((50, 500, 10, 500), 0.0), ((20, 500, 20, 500), 0.5), ((1, 500, 1, 500), None), ((0, 0, 1, 9), None)],
)
def test_diffprobes_loss_test_is_one_sided_and_needs_losses(counts: tuple[int, int, int, int], p: float | None) -> None:
    found = losses_differ(*counts)
    assert found == (None if p is None else pytest.approx(p, abs=0.001))


def test_diffprobe_judges_the_loaded_round() -> None:
    slow, _ = bottleneck_flow(kind="queue", depth_bytes=1e6, packets=300)
    quick, _ = bottleneck_flow(kind="none", packets=300)
    target, control = flow_transfer("t", slow), flow_transfer("c", quick, role=Role.CONTROL)

    def labelled(name: str) -> Observation:
        return observation(*(replace(item, labels={"round": name}) for item in (target, control)))

    assert DiffProbeDetector().detect(labelled("high")).outcome is YES
    assert DiffProbeDetector().detect(labelled("low")).outcome is OPEN


def test_anderson_wants_a_lasting_fall() -> None:
    days = np.arange(20, dtype=np.float64) * DAY_S
    tests = np.full(20, 9)
    assert falls(DailySeries(days, np.array([5.0] * 10 + [2.0] * 10), tests)) == 10
    assert falls(DailySeries(days, np.array([5.0] * 10 + [2.0] * 2 + [5.0] * 8), tests)) is None
    assert falls(DailySeries(days, np.array([5.0] * 10 + [2.6] * 10), tests)) is None


def test_anderson_tells_a_general_slowdown_from_a_targeted_one() -> None:
    targeted = speeds([5e6] * 10 + [1e6] * 6)
    general = type(targeted)(
        times_s=targeted.times_s,
        target_bps=targeted.target_bps,
        controls_bps={"control": targeted.target_bps},
        group=targeted.group,
    )
    specific = [AndersonDetector().detect(observation(table=table)).content_specific for table in (targeted, general)]
    assert specific == [True, False]


@given(level=st.floats(1, 5), step=st.floats(2, 9), place=st.integers(5, 15), seed=st.integers(0, 99))
def test_pelt_finds_a_clear_step_where_it_is(level: float, step: float, place: int, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.05, 20)
    values = level + noise
    values[place:] -= step
    assert place in change_points(values)


def test_pelt_dates_the_slowdown() -> None:
    verdict = PeltDetector().detect(observation(table=speeds([5e6] * 9 + [0.5e6] * 9)))
    assert verdict.outcome is YES
    assert verdict.onset_s == MARCH_10_S + 9 * DAY_S
    assert PeltDetector().detect(observation(table=speeds([5e6] * 18))).outcome is NO


def test_days_are_those_of_utc_and_days_without_tests_are_absent() -> None:
    times = np.array([0.0, DAY_S - 1, DAY_S, 3 * DAY_S])
    series = daily_series(times, np.array([1.0, 3.0, 7.0, 9.0]), lambda part: float(part.mean()))
    assert series.days_s.tolist() == [0.0, DAY_S, 3 * DAY_S]
    assert (series.values.tolist(), series.tests.tolist()) == ([2.0, 7.0, 9.0], [2, 1, 1])


@pytest.mark.parametrize(
    ("rule", "target", "control", "throttled"),
    [
        (PAGE_RULE, 599e3, 601e3, True),
        (PAGE_RULE, 600e3, 900e3, False),
        (DATA_SET_RULE, 199e3, 601e3, True),
        (DATA_SET_RULE, 199e3, 600e3, False),
        (RATIO_RULE, 199e3, 399e3, True),
        (RATIO_RULE, 199e3, 398e3, False),
    ],
)
def test_crowd_rules_at_their_thresholds(rule: CrowdRule, target: float, control: float, throttled: bool) -> None:  # noqa: FBT001
    assert rule(np.array([target]), np.array([control])).tolist() == [throttled]


def test_the_crowd_detector_counts_pairs_too() -> None:
    slow = observation(
        steady("t", rate_bps=120e3, duration_s=20), steady("c", rate_bps=3e6, duration_s=2, role=Role.CONTROL)
    )
    verdict = CrowdDetector().detect(slow)
    assert (verdict.outcome, verdict.score) == (YES, 1.0)
