"""What Wehe's detectors share: the statistics of a replay and its control, and the way to a rule's verdict on them.

Sources: statistics as the deployed server computes them (NEU-SNS/wehe-py3 at 344d8a9, testHypothesis.py); the rule of
the server's old interface (replay_analyzerServer.py), which the research client falls back on.
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

    Rule = Callable[["Evidence"], Outcome]  # tells the outcome from what was measured

__all__ = [
    "RATIO",
    "SHORTEST_S",
    "SLICES",
    "Evidence",
    "Statistics",
    "compare",
    "judge_replays",
    "server_rule",
]

SLICES: Final = 100
CAP_S: Final = 45.0  # TCP apps; the client measures no longer
SHORTEST_S: Final = 0.1  # ours: a control that is over in less measures no speed
SERVER_AREA: Final = 0.1
SERVER_P: Final = 0.05
RATIO: Final = 0.95  # of half samples that must agree with the test before it is believed
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a rule may look at.

    Attributes:
        found: Statistics of the pair that is judged.
        ratio: Computes how stable its test is under resampling; a rule that does not ask saves the time.
        earlier: Statistics of the pair before it, where this one confirms it, or None.
    """

    found: Statistics
    ratio: Callable[[], float]
    earlier: Statistics | None = None


def server_rule(evidence: Evidence) -> Outcome:
    """Judge as the server's old interface did; the area is signed, so a faster original never counts."""
    found = evidence.found  # the ratio is not asked for: "problematic", says the server's code
    if found.area < SERVER_AREA and found.p > SERVER_P:
        return Outcome.NOT_THROTTLED
    if found.area > SERVER_AREA and found.p < SERVER_P:
        return Outcome.THROTTLED
    return Outcome.INCONCLUSIVE


def judge_replays(name: str, observation: Observation, rule: Rule, *, confirms: bool = False) -> Verdict:
    """Judge the first pair of a target and a control by a rule.

    A slice is a hundredth of the control's duration, which stands for the nominal duration of the replay. Where that is
    short, most slices are empty; the test leaves those out, the means do not (as in the server's code).

    Args:
        name: Of the detector.
        observation: What it is given.
        rule: Tells the outcome from the statistics.
        confirms: Whether a second pair, where there is one, decides if the first is not negative.
    """
    found = pairs(observation)
    if not found:
        return inconclusive(name, "Wehe needs a target and a control of the same direction")
    verdict, first = _judge(name, rule, *found[0])
    if confirms and verdict.outcome is not Outcome.NOT_THROTTLED and len(found) > 1:
        return _judge(name, rule, *found[1], first)[0]
    return verdict


def _judge(
    name: str, rule: Rule, target: Transfer, control: Transfer, earlier: Statistics | None = None
) -> tuple[Verdict, Statistics | None]:
    """Return the verdict on a pair, and what it was judged by."""
    if not control.total_bytes or control.duration_s < SHORTEST_S:
        return inconclusive(name, f"control {control.id} moved no data, or all of it at once"), None
    width_s = min(control.duration_s, CAP_S) / SLICES
    original = slice_speeds(target, width_s=width_s, until_s=CAP_S)
    inverted = slice_speeds(control, width_s=width_s, until_s=CAP_S)
    if min(len(original), len(inverted)) < _MIN_SAMPLES:
        return inconclusive(name, f"target {target.id} has {len(original)} samples of {width_s:.3g} s"), None
    try:
        found = compare(original, inverted)
    except ValueError as error:
        return inconclusive(name, str(error)), None
    rng = np.random.default_rng(_SEED)
    # Computed only if the rule asks for it: it is a hundred tests, and one of the three rules wants to know.
    ratio = partial(resampling_ratio, original, inverted, p=found.p, rng=rng)
    outcome = rule(Evidence(found, ratio, earlier))
    slower = f"{abs(found.area):.0%} {'slower' if found.area > 0 else 'faster'} than its control"
    speeds = f"{found.mean_o / 1e3:.0f} against {found.mean_c / 1e3:.0f} kbit/s"
    verdict = Verdict(
        detector=name,
        outcome=outcome,
        why=f"the target was {slower} ({speeds}, p {found.p:.2g})",
        score=found.area,
        rate_bps=found.mean_o if outcome is Outcome.THROTTLED else None,
        content_specific=True if outcome is Outcome.THROTTLED else None,
        details={"area": found.area, "ks_p": found.p, "ks_distance": found.distance},
    )
    return verdict, found
