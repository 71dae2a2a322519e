"""The detector on observations made by hand, on single runs, and on a suite: the fixtures are the testbed's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from flatline_detector import FlatlineDetector

from testbed.detectors.observation import Observation, Role, Transfer

if TYPE_CHECKING:
    from testbed.pytest_plugin.plugin import Observe, ThrottledNetwork
    from testbed.pytest_plugin.shelf import LabelledCell

SMALL = {"measurements.0.repeat": 1, "measurements.0.size": "200 kB"}


def download(name: str, role: Role, rate_bps: float, size: int = 100_000) -> Transfer:
    """Return a transfer at a steady rate."""
    sent = np.arange(1, 101, dtype=np.int64) * (size // 100)
    return Transfer(id=name, role=role, times_s=sent * 8 / rate_bps, bytes=sent)


@pytest.mark.parametrize(("target_bps", "outcome"), [(140e3, "throttled"), (4e6, "not throttled")])
def test_a_steady_target_is_compared_with_its_control(target_bps: float, outcome: str) -> None:
    pair = download("t", Role.TARGET, target_bps), download("c", Role.CONTROL, 5e6)
    assert FlatlineDetector().detect(Observation(source="made", transfers=pair)).outcome == outcome


def test_without_a_control_nothing_is_said() -> None:
    alone = Observation(source="made", transfers=(download("t", Role.TARGET, 140e3),))
    assert FlatlineDetector().detect(alone).outcome == "inconclusive"


def test_it_measures_the_limit_of_a_real_policer(observation: Observe) -> None:
    verdict = FlatlineDetector().detect(observation("throttling/policed", 3, settings=SMALL))
    assert verdict.outcome == "throttled"
    assert verdict.rate_bps == pytest.approx(140e3, rel=0.1)


@pytest.mark.testbed_suite("conditions.yaml")
def test_it_is_right_or_in_doubt_on_conditions_of_ours(testbed_cell: LabelledCell) -> None:
    for line in testbed_cell.lines:
        verdict = FlatlineDetector().detect(line.observation)
        assert verdict.outcome in {line.label, "inconclusive"}, f"{verdict.why}; again: {testbed_cell.replay}"


def test_a_downloader_behind_a_policer_is_slow(throttled_network: ThrottledNetwork) -> None:
    """Also a program can be tested: that it is throttled is proven by the packets that the policer dropped."""
    curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{{time_total}}", "{target_url}"]
    slow = throttled_network(curl, rate="200 kbit/s", size="100 kB")
    assert slow.drops > 0
    assert float(slow.stdout) > 3
