"""WeHeY: do two paths that meet only inside the client's network suffer at the same place?

Source: Shmeis et al., "Localizing Traffic Differentiation", IMC 2023; tests as in NEU-SNS/wehe-py3 at 344d8a9,
localizationAnalysis.py. Labels: ``path`` "1" and "2" of transfers that ran together, and ``round`` "single" for the
replay that ran alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from testbed.detectors.observation import Role
from testbed.detectors.tools.delivery import Fates, fates
from testbed.detectors.tools.rtt import rtt_samples, sent_data
from testbed.detectors.tools.samples import slice_speeds
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation, Transfer

__all__ = ["WeheyDetector", "common_policer", "per_client_queue"]

SIGNIFICANCE: Final = 0.05
ROUNDS: Final = 80  # as many as the published values of normal variation
INTERVALS: Final = range(10, 51)  # interval lengths, in round trips
MIN_INTERVALS: Final = 30
MIN_PACKETS: Final = 10  # an interval with no more is dropped
SHARE: Final = 0.95  # of interval lengths: an Android release; 0.50 in the CLI 4.0.0 and on iOS
SLICE_S: Final = 0.25
MIN_RATIOS: Final = 3
MIN_VARIATION: Final = 5  # values of normal variation
_SEED: Final = 20231024


def per_client_queue(
    single: NDArray[np.float64],
    together: NDArray[np.float64],
    variation: NDArray[np.float64],
    *,
    rng: np.random.Generator,
    rounds: int = ROUNDS,
) -> float:
    """Return the p value of test 1: do both paths together get what one gets alone, up to normal variation?

    Args:
        single: Throughput samples of the replay alone, shape (n,).
        together: Sums of both paths' simultaneous samples, shape (m,).
        variation: Differences between ordinary replays of the same kind, percent, shape (k,).
        rng: For the draws.
        rounds: Draws; the method makes as many as there are values of variation.
    """
    half = min(len(single), len(together)) // 2
    differences = []
    for _ in range(rounds):
        alone = rng.choice(single, half, replace=False).mean()
        both = rng.choice(together, half, replace=False).mean()
        differences.append(abs(alone - both) / max(alone, both) * 100 if max(alone, both) > 0 else 0.0)
    return float(stats.mannwhitneyu(differences, variation, alternative="less").pvalue)


def common_policer(first: Fates, second: Fates, *, rtt_s: float) -> float | None:
    """Return test 2: the share of interval lengths at which both paths' losses rise and fall together.

    Args:
        first: Packets of one path; times count from the same instant as the other's.
        second: Packets of the other path.
        rtt_s: Larger of the paths' least round-trip times.

    Returns:
        Share of lengths (10 to 50 round trips that give at least 30 intervals) whose one-sided Spearman test is below
        0.05, or None if no length can be used.
    """
    if not len(first) or not len(second) or rtt_s <= 0:
        return None
    until_s = min(first.times_s[-1], second.times_s[-1])
    significant = []
    # No one length is right: losses that are together in long intervals may be apart in short ones, and the other way
    # round for those that chance puts together.
    for count in INTERVALS:
        edges = np.arange(0, until_s + 1e-9, count * rtt_s)
        if len(edges) - 1 < MIN_INTERVALS:
            break
        ratios = _loss_ratios(first, second, edges)
        if len(ratios) >= MIN_RATIOS and np.ptp(ratios[:, 0]) > 0 and np.ptp(ratios[:, 1]) > 0:
            significant.append(stats.spearmanr(ratios[:, 0], ratios[:, 1], alternative="greater").pvalue < SIGNIFICANCE)
    return float(np.mean(significant)) if significant else None


def _loss_ratios(first: Fates, second: Fates, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of bytes lost in each interval on both paths; runs of intervals without loss count once."""
    columns, enough = [], np.ones(len(edges) - 1, np.bool_)
    for path in (first, second):
        packets, _ = np.histogram(path.times_s, edges)
        sent, _ = np.histogram(path.times_s, edges, weights=path.sizes)
        lost, _ = np.histogram(path.times_s, edges, weights=path.sizes * path.lost)
        enough &= packets > MIN_PACKETS
        columns.append(lost / np.maximum(sent, 1))
    # Where neither path lost anything, both rise and fall together by doing nothing: a run of such intervals
    # would be all the agreement that the test wants.
    ratios: NDArray[np.float64] = np.column_stack(columns)[enough]
    clean = (ratios == 0).all(axis=1)
    repeated = clean & np.concatenate([[False], clean[:-1]])
    kept: NDArray[np.float64] = ratios[~repeated]
    return kept


@dataclass(frozen=True)
class WeheyDetector:
    """Localise: either test tells that both paths are limited at one place inside the client's network.

    Attributes:
        share: Threshold of test 2.
    """

    name: str = "wehey"
    summary: str = "localisation over two paths (Shmeis et al., IMC 2023)"
    share: float = SHARE

    def detect(self, observation: Observation) -> Verdict:
        """Judge two simultaneous targets; normal variation comes from the controls' goodput."""
        targets = observation.with_role(Role.TARGET)
        paths = {label: [t for t in targets if t.labels.get("path") == label] for label in ("1", "2")}
        if not (paths["1"] and paths["2"]):
            return inconclusive(
                self.name, 'the method needs simultaneous targets with the labels path "1" and path "2"'
            )
        first, second = paths["1"][0], paths["2"][0]
        queue_p = self._test_1(observation, first, second)
        policer = self._test_2(first, second)
        details = {"queue_p": queue_p, "policer_share": policer}
        if queue_p is None and policer is None:
            return inconclusive(self.name, "neither test has the data it needs", details=details)
        same_queue = queue_p is not None and queue_p < SIGNIFICANCE
        same_policer = policer is not None and policer >= self.share
        found = [name for name, yes in (("one queue for the client", same_queue), ("one policer", same_policer)) if yes]
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED if found else Outcome.NOT_THROTTLED,
            why=f"both paths share {' and '.join(found)}"
            if found
            else "no evidence of a common place of differentiation",
            score=max(policer or 0.0, 1 - (1.0 if queue_p is None else queue_p)),
            mechanism=Mechanism.POLICING if same_policer else Mechanism.SHAPING if same_queue else None,
            details=details,
        )

    @staticmethod
    def _test_1(observation: Observation, first: Transfer, second: Transfer) -> float | None:
        alone = [t for t in observation.with_role(Role.TARGET) if t.labels.get("round") == "single"]
        speeds = [speed for c in observation.with_role(Role.CONTROL) if (speed := c.goodput_bps) is not None]
        variation = np.array(
            [abs(a - b) / max(a, b) * 100 for place, a in enumerate(speeds) for b in speeds[place + 1 :]], np.float64
        )
        if not alone or len(variation) < MIN_VARIATION:
            return None
        samples = [slice_speeds(transfer, width_s=SLICE_S) for transfer in (alone[0], first, second)]
        ahead = round((second.started_s - first.started_s) / SLICE_S)  # slices of one path before the other began
        samples[1:] = samples[1][max(ahead, 0) :], samples[2][max(-ahead, 0) :]
        count = min(len(samples[1]), len(samples[2]))
        together = samples[1][:count] + samples[2][:count]
        if min(len(samples[0]), count) < MIN_PACKETS:
            return None
        return per_client_queue(samples[0], together, variation, rng=np.random.default_rng(_SEED))

    @staticmethod
    def _test_2(first: Transfer, second: Transfer) -> float | None:
        origin_s = min(first.started_s, second.started_s)
        both = [
            None if (made := fates(transfer)) is None else made.later(transfer.started_s - origin_s)
            for transfer in (first, second)
        ]
        least = []
        for transfer in (first, second):
            if transfer.sender_flow is not None:
                _, rtts = rtt_samples(transfer.sender_flow, sent_data(transfer.sender_flow))
                least += [float(rtts.min())] if len(rtts) else []
        if both[0] is None or both[1] is None or not least:
            return None
        return common_policer(both[0], both[1], rtt_s=max(least))
