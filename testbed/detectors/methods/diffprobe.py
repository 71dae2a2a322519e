"""DiffProbe: under load, do an application's packets wait longer or get lost more than probes beside them?

Source: Kanuparthy & Dovrolis, "DiffProbe: Detecting ISP Service Discrimination", INFOCOM 2010. A re-implementation
without reference: no code of the method proper is public, and details of the resampling were not published in full.
Labels: ``round`` "low" (both flows at the application's rate) and "high" (probes loaded up to the capacity).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from testbed.detectors.observation import Role
from testbed.detectors.tools.delivery import fates
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation

__all__ = ["DiffprobeDetector", "delays_differ", "losses_differ"]

SIGNIFICANCE: Final = 0.05
PARTITIONS: Final = 200
BINS: Final = 20
QUANTILES: Final = (50, 75, 90, 95)
MIN_LOSSES: Final = 10
MIN_DELAYS: Final = 50
NEAR_S: Final = 0.05  # a probe counts if an application packet was sent this near
_SEED: Final = 20100315


def _divergence(first: NDArray[np.float64], second: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    # Half a count in each bin: an empty one would make the divergence infinite.
    p = (np.histogram(first, edges)[0] + 0.5) / (len(first) + 0.5 * (len(edges) - 1))
    q = (np.histogram(second, edges)[0] + 0.5) / (len(second) + 0.5 * (len(edges) - 1))
    return float(stats.entropy(p, q))


def delays_differ(
    application: NDArray[np.float64], probe: NDArray[np.float64], *, rng: np.random.Generator
) -> tuple[float, bool]:
    """Test whether two delay distributions are equal, by Kullback-Leibler divergence against random partitions.

    Returns:
        The p value, and whether the application's high quantiles all exceed the probe's.
    """
    pooled = np.concatenate([application, probe])
    # Bins of equally many delays; equal delays may make several borders one.
    edges = np.unique(np.quantile(pooled, np.linspace(0, 1, BINS + 1)))
    edges = np.concatenate([[-np.inf], edges[1:-1], [np.inf]])
    seen = _divergence(application, probe, edges)
    larger = 0
    for _ in range(PARTITIONS):
        mixed = rng.permutation(pooled)
        larger += _divergence(mixed[: len(application)], mixed[len(application) :], edges) >= seen
    longer = bool((np.percentile(application, QUANTILES) > np.percentile(probe, QUANTILES)).all())
    return (larger + 1) / (PARTITIONS + 1), longer  # the data themselves are one of the partitions: p is never 0


def losses_differ(lost_a: int, sent_a: int, lost_p: int, sent_p: int) -> float | None:
    """Return the one-sided p value that the application lost a larger share, or None with too few losses."""
    pooled = (lost_a + lost_p) / (sent_a + sent_p) if sent_a and sent_p else 0.0
    if min(sent_a, sent_p) * pooled < MIN_LOSSES or pooled >= 1:
        return None
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / sent_a + 1 / sent_p))
    return float(stats.norm.sf((lost_a / sent_a - lost_p / sent_p) / deviation))


@dataclass(frozen=True)
class DiffprobeDetector:
    """Compare a target (application flow) with a control (probe flow) sent at the same time."""

    name: str = "diffprobe"
    summary: str = "delays and losses beside probes (Kanuparthy & Dovrolis, INFOCOM 2010; no reference code)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge the loaded round; without a queue in it (delays no longer than in the low round) nothing is judged."""
        rounds = {
            (name, role): [t for t in observation.with_role(role) if t.labels.get("round") == name]
            for name in ("low", "high")
            for role in (Role.TARGET, Role.CONTROL)
        }
        chosen = {
            key: made.later(found[0].started_s)  # probes count where they were sent beside the application's packets
            for key, found in rounds.items()
            if found and (made := fates(found[0])) is not None
        }
        high_a, high_p = chosen.get(("high", Role.TARGET)), chosen.get(("high", Role.CONTROL))
        if high_a is None or high_p is None:
            return inconclusive(self.name, 'the method needs a target and a control with the label round "high"')
        delays_a = high_a.delays_s[np.isfinite(high_a.delays_s)]
        # Probes sent while the application was silent met another queue.
        near = np.array([np.abs(high_a.times_s - time).min(initial=np.inf) <= NEAR_S for time in high_p.times_s])
        delays_p = high_p.delays_s[near & np.isfinite(high_p.delays_s)]
        if min(len(delays_a), len(delays_p)) < MIN_DELAYS:
            sizes = f"{len(delays_a)} and {len(delays_p)}"
            return inconclusive(self.name, f"{sizes} delays in the loaded round; at least {MIN_DELAYS} each needed")
        low_a = chosen.get(("low", Role.TARGET))
        if low_a is not None and np.nanmedian(low_a.delays_s) >= np.median(delays_a):
            return inconclusive(self.name, "no queue built up in the loaded round: nothing to discriminate by")
        p_delay, longer = delays_differ(delays_a, delays_p, rng=np.random.default_rng(_SEED))
        p_loss = losses_differ(int(high_a.lost.sum()), len(high_a), int(high_p.lost.sum()), len(high_p))
        by_delay = p_delay < SIGNIFICANCE and longer
        by_loss = p_loss is not None and p_loss < SIGNIFICANCE
        found = [name for name, yes in (("waits longer", by_delay), ("loses more", by_loss)) if yes]
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED if found else Outcome.NOT_THROTTLED,
            why=f"the target {' and '.join(found)} than the probes beside it" if found else "like the probes beside it",
            score=1 - min(p_delay if longer else 1.0, 1.0 if p_loss is None else p_loss),
            mechanism=Mechanism.SHAPING if by_delay else Mechanism.LOSS if by_loss else None,
            content_specific=True if found else None,
            details={"p_delay": p_delay, "p_loss": p_loss},
        )
