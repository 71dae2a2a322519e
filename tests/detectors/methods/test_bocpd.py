from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.methods.bocpd import BocpdDetector, Prior, run_lengths
from testbed.detectors.verdict import Outcome
from tests.detectors.build import DAY_S, MARCH_10_S, observation, speeds

PRIOR = Prior(mean=0.3, strength=0.7, shape=1.4, rate=0.8)


def log_evidence(values: list[float], prior: Prior) -> float:
    """Closed form of the marginal likelihood of one segment under the Normal-Gamma prior (Murphy 2007, eq. 95)."""
    count = len(values)
    if not count:
        return 0.0
    mean = sum(values) / count
    squares = sum((value - mean) ** 2 for value in values)
    strength, shape = prior.strength + count, prior.shape + count / 2
    rate = prior.rate + squares / 2 + prior.strength * count * (mean - prior.mean) ** 2 / (2 * strength)
    return (
        math.lgamma(shape)
        - math.lgamma(prior.shape)
        + prior.shape * math.log(prior.rate)
        - shape * math.log(rate)
        + 0.5 * math.log(prior.strength / strength)
        - count / 2 * math.log(2 * math.pi)
    )


def enumerated_posterior(values: list[float], prior: Prior, hazard: float) -> list[float]:
    """Sum over every way to cut the series into segments; a change follows a value with probability ``hazard``."""
    count = len(values)
    weight = [0.0] * (count + 1)
    for cuts in range(2**count):
        changes = [place + 1 for place in range(count) if cuts >> place & 1]
        bounds = [0, *changes, count]
        prior_weight = hazard ** len(changes) * (1 - hazard) ** (count - len(changes))
        evidence = sum(log_evidence(values[low:high], prior) for low, high in pairwise(bounds))
        weight[count - bounds[-2]] += prior_weight * math.exp(evidence)
    return [value / sum(weight) for value in weight]


@given(values=st.lists(st.floats(-3, 3), min_size=1, max_size=7), expected_run=st.floats(2, 50))
def test_run_lengths_equal_the_sum_over_all_segmentations(values: list[float], expected_run: float) -> None:
    posterior = run_lengths(np.array(values), PRIOR, expected_run=expected_run)
    expected = enumerated_posterior(values, PRIOR, 1 / expected_run)
    assert posterior[len(values)] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_each_row_is_a_distribution() -> None:
    posterior = run_lengths(np.array([1.0, 1.1, 0.9, 8.0, 8.1]), PRIOR, expected_run=30)
    assert posterior.sum(axis=1) == pytest.approx(np.ones(6))


def test_a_slowdown_is_dated() -> None:
    verdict = BocpdDetector().detect(observation(table=speeds([5e6] * 12 + [0.3e6] * 8)))
    assert verdict.outcome is Outcome.THROTTLED
    assert verdict.onset_s == MARCH_10_S + 12 * DAY_S


def test_a_level_series_raises_no_alarm() -> None:
    assert BocpdDetector().detect(observation(table=speeds([5e6] * 20))).outcome is Outcome.NOT_THROTTLED


@pytest.mark.parametrize(
    ("days", "outcome"), [([5e6] * 6, Outcome.INCONCLUSIVE), ([5e6] * 12 + [20e6] * 8, Outcome.NOT_THROTTLED)]
)
def test_few_days_are_open_and_a_rise_is_no_slowdown(days: list[float], outcome: Outcome) -> None:
    assert BocpdDetector().detect(observation(table=speeds(days))).outcome is outcome
