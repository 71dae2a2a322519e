"""Wehe as its research client judges: the server's rule where the test is stable, else the area alone.

Sources: statistics as the deployed server computes them (NEU-SNS/wehe-py3 at 344d8a9, testHypothesis.py); of the three
rules that exist in code, the research client's (oneDiffTest.py). The others are `wehe` and `wehe-server`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.detectors.tools.wehe_family import RATIO, SERVER_AREA, judge_replays, server_rule
from testbed.detectors.verdict import Outcome

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation
    from testbed.detectors.tools.wehe_family import Evidence
    from testbed.detectors.verdict import Verdict

__all__ = ["WeheResearchDetector", "research_rule"]


def research_rule(evidence: Evidence) -> Outcome:
    """Judge as the research client does: without a stable test, the area decides alone."""
    if evidence.ratio() > RATIO:
        return server_rule(evidence)
    return Outcome.THROTTLED if evidence.found.area > SERVER_AREA else Outcome.NOT_THROTTLED


@dataclass(frozen=True)
class WeheResearchDetector:
    """Compare the first target with its control, and ask first whether the comparison is stable."""

    name: str = "wehe-research"
    summary: str = "Wehe's research client: stable KS and area 0.1, else area alone"

    def detect(self, observation: Observation) -> Verdict:
        """Judge the first pair. See `judge_replays`."""
        return judge_replays(self.name, observation, research_rule)
