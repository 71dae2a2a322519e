from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.methods.signatures import TREE, Leaf, Node, SignaturesDetector, features, train, walk
from testbed.detectors.verdict import Mechanism, Outcome
from tests.detectors.build import bottleneck_flow, flow_transfer, observation

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def test_a_queue_leaves_its_signature_and_a_policer_does_not() -> None:
    queued, _ = bottleneck_flow(kind="queue", depth_bytes=100_000)
    policed, _ = bottleneck_flow(kind="police", depth_bytes=100_000)
    filled, flat = features(queued), features(policed)
    assert filled is not None
    assert flat is not None
    assert filled[0] > 0.5 > flat[0]
    assert SignaturesDetector().detect(observation(flow_transfer("t", queued))).mechanism is Mechanism.CONGESTION
    assert SignaturesDetector().detect(observation(flow_transfer("t", policed))).outcome is OPEN


def test_a_tree_splits_where_classes_part() -> None:
    values = np.array([[x, 0.5] for x in (0.1, 0.2, 0.3, 0.7, 0.8, 0.9)])
    tree = train(values, np.array([False] * 3 + [True] * 3), least=1)
    assert tree == Node(0, 0.5, Leaf(0.0), Leaf(1.0))
    assert [walk(tree, (x, 0.5)) for x in (0.4, 0.6)] == [0.0, 1.0]


def test_a_tree_of_one_class_asks_nothing() -> None:
    assert train(np.zeros((6, 2)), np.ones(6, np.bool_)) == Leaf(1.0)


@pytest.mark.parametrize(("spread", "share"), [(0.414, 0.0), (0.4141, 1.0)])
def test_our_tree_is_one_threshold_on_the_range(spread: float, share: float) -> None:
    assert walk(TREE, (spread, 0.1)) == share


def test_a_tree_grows_no_leaf_of_fewer_flows_than_asked_for_and_no_deeper() -> None:
    values = np.array([[place / 10, 0.0] for place in range(10)])
    labels = np.arange(10) >= 7
    assert train(values, labels, least=4) == Node(0, 0.55, Leaf(0.0), Leaf(0.75))
    assert train(values, labels, depth=0) == Leaf(0.3)
    assert train(np.zeros((10, 2)), labels) == Leaf(0.3)  # nothing to tell them apart by
