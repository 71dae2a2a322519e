from __future__ import annotations

import pytest

from testbed.detectors.methods.wehe_server import WeheServerDetector
from testbed.detectors.tools.wehe_family import Evidence, Statistics, server_rule
from testbed.detectors.verdict import Outcome
from tests.detectors.build import pair, statistics

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def not_asked() -> float:
    raise AssertionError("the server's rule does not look at the ratio")


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (statistics(0.11, 0.04), YES),
        (statistics(0.09, 0.06), NO),
        (statistics(0.11, 0.06), OPEN),
        (statistics(0.09, 0.04), OPEN),
        (statistics(-0.6, 0.001), OPEN),  # the area is signed: a faster target is neither
        (statistics(0.1, 0.05), OPEN),  # on both thresholds: neither side is reached
    ],
)
def test_area_and_test_must_say_the_same(found: Statistics, outcome: Outcome) -> None:
    assert server_rule(Evidence(found, not_asked)) is outcome


def test_a_fifth_less_is_enough_for_the_server() -> None:
    assert WeheServerDetector().detect(pair(1.6e6, 2e6)).outcome is YES


def test_equal_speeds_are_no_throttling() -> None:
    assert WeheServerDetector().detect(pair(2e6, 2e6)).outcome is NO
