from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.detectors.methods.wehey import WeheyDetector, common_policer, per_client_queue
from testbed.detectors.tools.delivery import Fates
from testbed.detectors.verdict import Outcome
from tests.detectors.build import (
    bottleneck_flow,
    flow_transfer,
    observation,
    steady,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.observation import Transfer


YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


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


def path(name: str, *, started_s: float) -> Transfer:
    flow, _ = bottleneck_flow(kind="police", packets=3000, rate_bps=2e6, seed=4)
    made = flow_transfer(name, flow, started_s=started_s)
    return replace(made, labels={"path": name})


def test_paths_are_compared_at_the_same_time() -> None:
    """The same losses are common only where they happen together."""
    together = WeheyDetector().detect(observation(path("1", started_s=3.0), path("2", started_s=3.0)))
    apart = WeheyDetector().detect(observation(path("1", started_s=3.0), path("2", started_s=3.7)))
    assert isinstance(together.details["policer_share"], float)
    assert together.details["policer_share"] > 0.9
    assert apart.details["policer_share"] != together.details["policer_share"]
