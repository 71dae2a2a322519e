"""Wehe: compare the throughput of an original replay with that of its bit-inverted control.

Sources: statistics as the deployed server computes them (NEU-SNS/wehe-py3 at 344d8a9, testHypothesis.py); the three
rules that exist in code: the client's, which users see (NEU-SNS/wehe-cmdline at acf4f41), the server's old one
(replay_analyzerServer.py) and the research client's (oneDiffTest.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.ks import ks_test, resampling_ratio
from testbed.detectors.tools.samples import slice_speeds
from testbed.detectors.tools.subjects import pairs
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation, Transfer

__all__ = [
    "Statistics",
    "WeheDetector",
    "client_detector",
    "client_rule",
    "compare",
    "research_rule",
    "server_rule",
]

SLICES: Final = 100
CAP_S: Final = 45.0  # TCP apps; the client measures no longer
SHORTEST_S: Final = 0.1  # ours: a control that is over in less measures no speed
CLIENT_AREA: Final = 0.50
CLIENT_AREA_FAST: Final = 0.30  # if either mean is above FAST_BPS
CLIENT_FAST_BPS: Final = 10e6
CLIENT_P: Final = 0.01
SERVER_AREA: Final = 0.1
SERVER_P: Final = 0.05
RATIO: Final = 0.95
_MIN_SAMPLES: Final = 2
_SEED: Final = 20190819  # any: the jackknife only has to be repeatable


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the server computes of an original (o) and a control (c).

    Attributes:
        mean_o, mean_c: Over all samples, bits a second.
        area: (mean_c - mean_o) / larger mean: positive if the original was slower.
        p: Two-sided Kolmogorov-Smirnov test of the samples above zero.
        distance: Its statistic.
    """

    mean_o: float
    mean_c: float
    area: float
    p: float
    distance: float


def compare(original: NDArray[np.float64], control: NDArray[np.float64]) -> Statistics:
    """Compute the server's statistics; samples in bits a second, shape (n,) and (m,).

    Raises:
        ValueError: A list has no sample above zero, for which the server gives no result.
    """
    if not (original > 0).any() or not (control > 0).any():
        raise ValueError("one of the replays has no throughput above zero")
    mean_o, mean_c = float(original.mean()), float(control.mean())
    p, distance = ks_test(original[original > 0], control[control > 0])
    return Statistics(mean_o, mean_c, (mean_c - mean_o) / max(mean_o, mean_c), p, distance)


def client_rule(
    found: Statistics,
    ratio: Callable[[], float],  # noqa: ARG001  the client ignores the ratio
    earlier: Statistics | None = None,
) -> Outcome:
    """Judge as Wehe's apps do; a faster original is "prioritised", which is no throttling of it.

    The area threshold of a fast first run stays for the run that confirms it, as in the released client.
    """
    fast = any(max(each.mean_o, each.mean_c) > CLIENT_FAST_BPS for each in (found, earlier) if each is not None)
    if abs(found.area) < (CLIENT_AREA_FAST if fast else CLIENT_AREA):
        return Outcome.NOT_THROTTLED
    if found.p >= CLIENT_P:
        return Outcome.INCONCLUSIVE
    return Outcome.THROTTLED if found.area > 0 else Outcome.NOT_THROTTLED


def server_rule(
    found: Statistics,
    ratio: Callable[[], float],  # noqa: ARG001  "problematic", says its code
    earlier: Statistics | None = None,  # noqa: ARG001
) -> Outcome:
    """Judge as the server's old interface did; the area is signed, so a faster original never counts."""
    if found.area < SERVER_AREA and found.p > SERVER_P:
        return Outcome.NOT_THROTTLED
    if found.area > SERVER_AREA and found.p < SERVER_P:
        return Outcome.THROTTLED
    return Outcome.INCONCLUSIVE


def research_rule(
    found: Statistics,
    ratio: Callable[[], float],
    earlier: Statistics | None = None,  # noqa: ARG001
) -> Outcome:
    """Judge as the research client does: without a stable test, the area decides alone."""
    if ratio() > RATIO:
        return server_rule(found, ratio)
    return Outcome.THROTTLED if found.area > SERVER_AREA else Outcome.NOT_THROTTLED


@dataclass(frozen=True)
class WeheDetector:
    """Compare target and control transfers with one of the rules.

    Attributes:
        rule: `client_rule`, `server_rule` or `research_rule`.
        confirms: Whether a second pair is asked for, and decides, where the first is not negative.
    """

    name: str
    summary: str
    rule: Callable[[Statistics, Callable[[], float], Statistics | None], Outcome]
    confirms: bool = False

    def detect(self, observation: Observation) -> Verdict:
        """Judge the first pair; where ``confirms``, the second one decides if the first is not negative.

        A slice is a hundredth of the control's duration, which stands for the nominal duration of the replay. Where
        that is short, most slices are empty; the test leaves those out, the means do not (as in the server's code).
        """
        found = pairs(observation)
        if not found:
            return inconclusive(self.name, "Wehe needs a target and a control of the same direction")
        verdict, first = self._judge(*found[0])
        if self.confirms and verdict.outcome is not Outcome.NOT_THROTTLED and len(found) > 1:
            return self._judge(*found[1], first)[0]
        return verdict

    def _judge(
        self, target: Transfer, control: Transfer, earlier: Statistics | None = None
    ) -> tuple[Verdict, Statistics | None]:
        """Return the verdict on a pair, and what it was judged by."""
        if not control.total_bytes or control.duration_s < SHORTEST_S:
            return inconclusive(self.name, f"control {control.id} moved no data, or all of it at once"), None
        width_s = min(control.duration_s, CAP_S) / SLICES
        original = slice_speeds(target, width_s=width_s, until_s=CAP_S)
        inverted = slice_speeds(control, width_s=width_s, until_s=CAP_S)
        if min(len(original), len(inverted)) < _MIN_SAMPLES:
            return inconclusive(self.name, f"target {target.id} has {len(original)} samples of {width_s:.3g} s"), None
        try:
            found = compare(original, inverted)
        except ValueError as error:
            return inconclusive(self.name, str(error)), None
        rng = np.random.default_rng(_SEED)
        outcome = self.rule(found, partial(resampling_ratio, original, inverted, p=found.p, rng=rng), earlier)
        slower = f"{abs(found.area):.0%} {'slower' if found.area > 0 else 'faster'} than its control"
        speeds = f"{found.mean_o / 1e3:.0f} against {found.mean_c / 1e3:.0f} kbit/s"
        verdict = Verdict(
            detector=self.name,
            outcome=outcome,
            why=f"the target was {slower} ({speeds}, p {found.p:.2g})",
            score=found.area,
            rate_bps=found.mean_o if outcome is Outcome.THROTTLED else None,
            content_specific=True if outcome is Outcome.THROTTLED else None,
            details={"area": found.area, "ks_p": found.p, "ks_distance": found.distance},
        )
        return verdict, found


def client_detector() -> WeheDetector:
    """Return Wehe as its users see it, with the confirmation run."""
    return WeheDetector(
        "wehe", "Wehe's apps: area 0.5 (0.3 above 10 Mbit/s), KS 0.01, confirmed", client_rule, confirms=True
    )


def server_detector() -> WeheDetector:
    """Return Wehe as its server's old interface judged."""
    return WeheDetector("wehe-server", "Wehe's server: area 0.1 and KS 0.05", server_rule)


def research_detector() -> WeheDetector:
    """Return Wehe as its research client judges."""
    return WeheDetector(
        "wehe-research", "Wehe's research client: stable KS and area 0.1, else area alone", research_rule
    )
