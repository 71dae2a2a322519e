"""The crowd test of March 2021: one fetch of a throttled host, one of a control, and two thresholds.

Sources: Xue et al., IMC 2021, §4; the test page's and the data set's own rules (4ndv/is-my-twitter-slow-or-what,
4ndv/russia-twitter-throttle).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import SpeedTable
from testbed.detectors.tools.crowd_rule import RATIO_RULE, CrowdRule
from testbed.detectors.tools.subjects import pairs
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation

__all__ = ["CrowdDetector", "GroupShare", "shares"]

MIN_TESTS: Final = 1


@dataclass(frozen=True, slots=True)
class GroupShare:
    """How many tests of a group were throttled."""

    tests: int
    throttled: int


def shares(speeds: SpeedTable, rule: CrowdRule, *, control: str) -> dict[str, GroupShare]:
    """Count throttled tests by group, largest group first. Tests in which something did not load (0) are left out.

    Args:
        speeds: The tests.
        rule: When a test counts.
        control: Which control to compare with.
    """
    valid = (speeds.target_bps > 0) & (speeds.controls_bps[control] > 0)
    throttled = rule(speeds.target_bps, speeds.controls_bps[control])[valid]
    names, place = np.unique(speeds.group[valid], return_inverse=True)
    tests, hits = np.bincount(place, minlength=len(names)), np.bincount(place, weights=throttled, minlength=len(names))
    order = np.argsort(-tests, kind="stable")
    return {str(names[i]): GroupShare(int(tests[i]), int(hits[i])) for i in order}


@dataclass(frozen=True)
class CrowdDetector:
    """Apply a rule to a table of tests, or to each pair of transfers.

    Attributes:
        rule: When a test counts as throttled.
        share: Share of throttled tests from which on the whole is called throttled. 0.05 lies between the shares of
            other countries (1.6 %) and of Russia (33 %) in the published data.
    """

    name: str = "crowd"
    summary: str = "crowd test: slow target, fast control (Xue et al., IMC 2021)"
    rule: CrowdRule = RATIO_RULE
    share: float = 0.05

    def detect(self, observation: Observation) -> Verdict:
        """Judge the speeds if there are any, else the pairs of transfers."""
        speeds = observation.speeds if observation.speeds is not None else self._from_pairs(observation)
        if not speeds.controls_bps:
            return inconclusive(self.name, "the rule needs speeds of a target and of a control")
        # Of several, the data set's first; else the first by name: the order of columns in a file must not decide.
        control = "control" if "control" in speeds.controls_bps else min(speeds.controls_bps)
        groups = shares(speeds, self.rule, control=control)
        tests, hits = sum(g.tests for g in groups.values()), sum(g.throttled for g in groups.values())
        if tests < MIN_TESTS:
            return inconclusive(self.name, "no test in which both target and control moved data")
        # the rate is that of the tests that count: the others were not slowed
        counted = self.rule(speeds.target_bps, speeds.controls_bps[control]) & (speeds.target_bps > 0)
        throttled = hits / tests >= self.share
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED if throttled else Outcome.NOT_THROTTLED,
            why=f"{hits} of {tests} tests ({hits / tests:.1%}) slow beside their control; threshold {self.share:.0%}",
            score=hits / tests,
            rate_bps=float(np.median(speeds.target_bps[counted])) if throttled else None,
            content_specific=True if throttled else None,
            details={
                "groups": {name: {"tests": g.tests, "throttled": g.throttled} for name, g in list(groups.items())[:50]}
            },
        )

    @staticmethod
    def _from_pairs(observation: Observation) -> SpeedTable:
        speeds = [(t.started_s, t.goodput_bps or 0.0, c.goodput_bps or 0.0) for t, c in pairs(observation)]
        columns = np.array(speeds, np.float64).reshape(-1, 3)
        return SpeedTable(
            times_s=columns[:, 0],
            target_bps=columns[:, 1],
            controls_bps={"control": columns[:, 2]} if speeds else {},
            group=np.array(["all"] * len(speeds), dtype=np.str_),
        )
