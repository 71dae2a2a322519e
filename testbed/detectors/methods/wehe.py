"""Wehe: compare the throughput of an original replay with that of its bit-inverted control, as Wehe's users see it.

Sources: statistics as the deployed server computes them (NEU-SNS/wehe-py3 at 344d8a9, testHypothesis.py); of the three
rules that exist in code, the client's (NEU-SNS/wehe-cmdline at acf4f41). The others are `wehe-server` and
`wehe-research`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from testbed.detectors.tools.wehe_family import judge_replays
from testbed.detectors.verdict import Outcome

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation
    from testbed.detectors.tools.wehe_family import Evidence
    from testbed.detectors.verdict import Verdict

__all__ = ["WeheDetector", "client_rule"]

CLIENT_AREA: Final = 0.50
CLIENT_AREA_FAST: Final = 0.30  # if either mean is above CLIENT_FAST_BPS
CLIENT_FAST_BPS: Final = 10e6
CLIENT_P: Final = 0.01


def client_rule(evidence: Evidence) -> Outcome:
    """Judge as Wehe's apps do; a faster original is "prioritised", which is no throttling of it.

    The client does not ask for the ratio. The area threshold of a fast first run stays for the run that confirms it, as
    in the released client.
    """
    found = evidence.found
    seen = [each for each in (found, evidence.earlier) if each is not None]
    fast = any(max(each.mean_o, each.mean_c) > CLIENT_FAST_BPS for each in seen)
    if abs(found.area) < (CLIENT_AREA_FAST if fast else CLIENT_AREA):
        return Outcome.NOT_THROTTLED
    if found.p >= CLIENT_P:
        return Outcome.INCONCLUSIVE
    return Outcome.THROTTLED if found.area > 0 else Outcome.NOT_THROTTLED


@dataclass(frozen=True)
class WeheDetector:
    """Compare the first target with its control; a second pair confirms what the first one found."""

    name: str = "wehe"
    summary: str = "Wehe's apps: area 0.5 (0.3 above 10 Mbit/s), KS 0.01, confirmed"

    def detect(self, observation: Observation) -> Verdict:
        """Judge the first pair; the second one decides if the first is not negative. See `judge_replays`."""
        return judge_replays(self.name, observation, client_rule, confirms=True)
