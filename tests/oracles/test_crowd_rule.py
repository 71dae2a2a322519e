"""The crowd rule against the measurements of 13 to 31 March 2021 (4ndv/russia-twitter-throttle, CC BY 4.0)."""

from __future__ import annotations

import csv
from collections import Counter

import numpy as np
import pytest

from testbed.detectors.methods.crowd import CrowdDetector, shares
from testbed.detectors.observation import Observation, SpeedTable
from testbed.detectors.sources.observe import observe
from testbed.detectors.sources.tables import speeds_from_csv
from testbed.detectors.tools.crowd_rule import DATA_SET_RULE, PAGE_RULE, RATIO_RULE, CrowdRule
from testbed.detectors.verdict import Outcome
from tests.oracles.published import published_data

RULES = {"page": PAGE_RULE, "data set": DATA_SET_RULE, "ratio": RATIO_RULE}
# counted with pandas from the same files: (Russia, elsewhere), of tests that moved data
COUNTS = {"tests": (27073, 3397), "page": (9293, 108), "data set": (9041, 48), "ratio": (9394, 58)}


def counted_by_csv(rule: CrowdRule) -> Counter[str]:
    """Count row by row, without arrays."""
    counts: Counter[str] = Counter()
    for path in sorted(published_data("twitter-crowd-2021").glob("*.csv")):
        with path.open(newline="") as table:
            for row in csv.DictReader(table):
                target, control = float(row["test_result"]), float(row["control_result"])
                if target <= 0 or control <= 0:
                    continue
                where = "RU" if row["as_country"] == "RU" else "elsewhere"
                counts[f"tests {where}"] += 1
                counts[where] += (
                    target * 1e3 < rule.target_below_bps
                    and control * 1e3 > rule.control_above_bps
                    and control > rule.ratio_above * target
                )
    return counts


@pytest.mark.parametrize("name", RULES)
def test_counts_by_country_are_those_of_the_published_rows(name: str) -> None:
    table, _ = speeds_from_csv(sorted(published_data("twitter-crowd-2021").glob("*.csv")))
    groups = shares(table, RULES[name], control="control")
    russian = [share for group, share in groups.items() if group.startswith("RU ")]
    others = [share for group, share in groups.items() if not group.startswith("RU ")]
    sums = [(sum(s.tests for s in part), sum(s.throttled for s in part)) for part in (russian, others)]
    expected = counted_by_csv(RULES[name])
    assert sums == [(expected["tests RU"], expected["RU"]), (expected["tests elsewhere"], expected["elsewhere"])]
    assert (sums[0][0], sums[1][0]) == COUNTS["tests"]
    assert (sums[0][1], sums[1][1]) == COUNTS[name]


def test_shares_by_network_are_bimodal_as_reported() -> None:
    table, remarks = speeds_from_csv(sorted(published_data("twitter-crowd-2021").glob("*.csv")))
    groups = shares(table, RATIO_RULE, control="control")
    assert groups["RU AS31213"].throttled / groups["RU AS31213"].tests > 0.9  # MegaFon
    assert groups["RU AS25513"].throttled / groups["RU AS25513"].tests < 0.02  # MGTS
    assert len(remarks) == 1
    assert "-16304.35" in remarks[0]  # the one broken row
    throttled = RATIO_RULE(table.target_bps, table.controls_bps["control"])
    assert np.median(table.target_bps[throttled]) == pytest.approx(108.6e3, rel=0.02)  # X21's crowd: 108.6 kbit/s


@pytest.mark.parametrize(
    ("country", "outcome"), [("RU", Outcome.THROTTLED), ("UA", Outcome.NOT_THROTTLED), ("KZ", Outcome.NOT_THROTTLED)]
)
def test_russia_is_called_throttled_and_its_neighbours_are_not(country: str, outcome: Outcome) -> None:
    whole = observe(sorted(published_data("twitter-crowd-2021").glob("*.csv")))
    assert whole.speeds is not None
    rows = np.flatnonzero([group.startswith(f"{country} ") for group in whole.speeds.group.tolist()])
    part = SpeedTable(
        times_s=whole.speeds.times_s[rows],
        target_bps=whole.speeds.target_bps[rows],
        controls_bps={name: column[rows] for name, column in whole.speeds.controls_bps.items()},
        group=whole.speeds.group[rows],
    )
    assert CrowdDetector().detect(Observation(source=country, speeds=part)).outcome is outcome
