from __future__ import annotations

import pytest

from testbed.detectors.methods.signatures import RANGE, SignaturesDetector, features
from testbed.detectors.verdict import Mechanism, Outcome
from tests.detectors.build import bottleneck_flow, flow_transfer, observation

NO, OPEN = Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def test_a_queue_leaves_its_signature_and_a_policer_does_not() -> None:
    queued, _ = bottleneck_flow(kind="queue", depth_bytes=100_000)
    policed, _ = bottleneck_flow(kind="police", depth_bytes=100_000)
    filled, flat = features(queued), features(policed)
    assert filled is not None
    assert flat is not None
    assert filled[0] > RANGE > flat[0]
    assert SignaturesDetector().detect(observation(flow_transfer("t", queued))).mechanism is Mechanism.CONGESTION
    assert SignaturesDetector().detect(observation(flow_transfer("t", policed))).outcome is OPEN


@pytest.mark.parametrize(("above", "outcome"), [(-0.001, NO), (0.0, OPEN)])
def test_one_threshold_on_the_range_decides(above: float, outcome: Outcome) -> None:
    flow, _ = bottleneck_flow(kind="queue", depth_bytes=40_000)
    found = features(flow)
    assert found is not None
    detector = SignaturesDetector(threshold=found[0] + above)
    assert detector.detect(observation(flow_transfer("t", flow))).outcome is outcome


def test_few_round_trips_tell_nothing() -> None:
    flow, _ = bottleneck_flow(kind="none", packets=8)
    assert features(flow) is None
    assert SignaturesDetector().detect(observation(flow_transfer("t", flow))).outcome is OPEN
