"""Wehe as its server's old interface judged: a signed area of a tenth, and a test below 0.05.

Sources: statistics as the deployed server computes them (NEU-SNS/wehe-py3 at 344d8a9, testHypothesis.py); of the three
rules that exist in code, the server's old one (replay_analyzerServer.py). The others are `wehe` and `wehe-research`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.detectors.tools.wehe_family import judge_replays, server_rule

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation
    from testbed.detectors.verdict import Verdict

__all__ = ["WeheServerDetector"]


@dataclass(frozen=True)
class WeheServerDetector:
    """Compare the first target with its control; area and test must both speak, and for the same answer."""

    name: str = "wehe-server"
    summary: str = "Wehe's server: area 0.1 and KS 0.05"

    def detect(self, observation: Observation) -> Verdict:
        """Judge the first pair. See `judge_replays`."""
        return judge_replays(self.name, observation, server_rule)
