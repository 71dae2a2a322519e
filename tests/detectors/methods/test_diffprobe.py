from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from testbed.detectors.methods.diffprobe import DiffprobeDetector, delays_differ, losses_differ
from testbed.detectors.observation import Observation, Role
from testbed.detectors.verdict import Outcome
from tests.detectors.build import bottleneck_flow, flow_transfer, observation

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


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

    assert DiffprobeDetector().detect(labelled("high")).outcome is YES
    assert DiffprobeDetector().detect(labelled("low")).outcome is OPEN


def test_a_loss_of_more_than_the_probes_is_found_by_its_share() -> None:
    """Ten losses on either side are the least that the normal approximation holds for."""
    assert losses_differ(10, 100, 10, 100) == pytest.approx(0.5)
    assert losses_differ(9, 100, 10, 100) is None
    assert losses_differ(100, 100, 100, 100) is None  # all were lost: there is no deviation


def test_without_probes_nothing_is_judged() -> None:
    assert DiffprobeDetector().detect(observation()).outcome is OPEN
