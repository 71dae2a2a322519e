from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.detectors.methods.wehe import WeheDetector, client_rule
from testbed.detectors.tools.wehe_family import Evidence, Statistics
from testbed.detectors.verdict import Outcome
from tests.detectors.build import observation, pair, statistics, steady

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def not_asked() -> float:
    raise AssertionError("the client does not look at the ratio")


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (statistics(0.50, 0.001), YES),
        (statistics(0.49, 0.001), NO),
        (statistics(0.50, 0.0099), YES),
        (statistics(0.50, 0.01), OPEN),
        (statistics(0.30, 0.001, mean_bps=11e6), YES),
        (statistics(0.29, 0.001, mean_bps=11e6), NO),
        (statistics(0.31, 0.001, mean_bps=10e6), NO),  # not above 10 Mbit/s
        (statistics(-0.6, 0.001), NO),  # "prioritised"
    ],
)
def test_the_apps_want_half_the_area_or_three_tenths_on_a_fast_line(found: Statistics, outcome: Outcome) -> None:
    assert client_rule(Evidence(found, not_asked)) is outcome


def test_the_threshold_of_a_fast_first_run_stays() -> None:
    slow = Statistics(mean_o=5e6, mean_c=8e6, area=0.375, p=1e-9, distance=1.0)
    fast = Statistics(mean_o=5e6, mean_c=20e6, area=0.75, p=1e-9, distance=1.0)
    runs = [(slow, None, NO), (slow, fast, YES), (slow, slow, NO), (fast, slow, YES)]
    assert [client_rule(Evidence(found, not_asked, earlier)) for found, earlier, _ in runs] == [
        each for *_, each in runs
    ]


def test_wehe_asks_again_and_the_second_pair_decides() -> None:
    slow, fast = pair(140e3, 2e6), pair(2e6, 2e6)

    def both(first: Observation, second: Observation) -> Observation:
        renamed = [
            steady(
                f"{item.id}{place}",
                rate_bps=item.goodput_bps or 0,
                duration_s=20,
                role=item.role,
                jitter=0.3,
                started_s=place * 100 + item.started_s,
                labels={"pair": str(place)},
                seed=place,
            )
            for place, part in enumerate((first, second))
            for item in part.transfers
        ]
        return observation(*renamed)

    wehe = WeheDetector()
    assert wehe.detect(both(slow, slow)).outcome is YES
    assert wehe.detect(both(slow, fast)).outcome is NO
    assert wehe.detect(both(fast, slow)).outcome is NO
