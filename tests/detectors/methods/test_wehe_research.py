from __future__ import annotations

import pytest

from testbed.detectors.methods.wehe_research import WeheResearchDetector, research_rule
from testbed.detectors.tools.wehe_family import Evidence, Statistics
from testbed.detectors.verdict import Outcome
from tests.detectors.build import pair, statistics

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("found", "ratio", "outcome"),
    [
        # a stable test: the server's rule
        (statistics(0.11, 0.04), 0.96, YES),
        (statistics(0.11, 0.06), 0.96, OPEN),
        # at 0.95 and below, the area alone
        (statistics(0.11, 0.06), 0.95, YES),
        (statistics(0.09, 0.04), 0.95, NO),
        (statistics(0.10, 0.04), 0.0, NO),
    ],
)
def test_without_a_stable_test_the_area_decides_alone(found: Statistics, ratio: float, outcome: Outcome) -> None:
    assert research_rule(Evidence(found, lambda: ratio)) is outcome


def test_it_judges_where_the_server_leaves_it_open() -> None:
    assert WeheResearchDetector().detect(pair(2e6, 140e3)).outcome in {NO, OPEN}
    assert WeheResearchDetector().detect(pair(140e3, 2e6)).outcome is YES
