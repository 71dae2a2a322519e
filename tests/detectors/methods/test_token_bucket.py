from __future__ import annotations

import pytest

from testbed.detectors.methods.token_bucket import TokenBucketDetector
from testbed.detectors.tools.bucket_fit import fit_bucket
from testbed.detectors.tools.delivery import fates
from testbed.detectors.verdict import Mechanism, Outcome
from tests.detectors.build import bottleneck_flow, flow_transfer, observation


@pytest.mark.parametrize("rate_bps", [140e3, 500e3, 3e6])
@pytest.mark.parametrize("depth", [8_000, 20_000, 100_000])
def test_rate_and_depth_of_a_policer_are_found(rate_bps: float, depth: float) -> None:
    flow, _ = bottleneck_flow(kind="police", rate_bps=rate_bps, depth_bytes=depth, packets=800)
    verdict = TokenBucketDetector().detect(observation(flow_transfer("t", flow)))
    assert (verdict.outcome, verdict.mechanism) == (Outcome.THROTTLED, Mechanism.POLICING)
    assert verdict.rate_bps == pytest.approx(rate_bps, rel=0.1)
    assert verdict.burst_bytes is not None
    assert depth / 2 <= verdict.burst_bytes <= depth * 2


@pytest.mark.parametrize(
    ("kind", "loss", "depth"),
    [("queue", 0.0, 20_000), ("queue", 0.0, 60_000), ("none", 0.05, 20_000), ("none", 0.0, 20_000)],
)
def test_queues_and_random_losses_are_no_policers(kind: str, loss: float, depth: float) -> None:
    flow, _ = bottleneck_flow(kind=kind, loss=loss, depth_bytes=depth, packets=800)
    verdict = TokenBucketDetector().detect(observation(flow_transfer("t", flow)))
    assert verdict.outcome is Outcome.NOT_THROTTLED


def test_too_few_losses_are_inconclusive() -> None:
    flow, dropped = bottleneck_flow(kind="none", loss=0.01, packets=200, seed=3)
    assert 0 < dropped.sum() < 8
    found = fates(flow_transfer("t", flow))
    assert found is not None
    assert fit_bucket(found) is None
    assert TokenBucketDetector().detect(observation(flow_transfer("t", flow))).outcome is Outcome.INCONCLUSIVE
