"""TCP congestion signatures: did this flow fill a buffer of its own during slow start, or meet a limit without one?

Source: Sundaresan et al., "TCP Congestion Signatures", IMC 2017: features and tree depth. Theirs is not published; ours
was grown from runs of ours and is one threshold on one feature: an RTT range of 0.414 of the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.rtt import rtt_samples, sent_data
from testbed.detectors.tools.subjects import judge_each
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.capture import Flow
    from testbed.detectors.observation import Observation, Transfer

__all__ = ["Leaf", "Node", "SignaturesDetector", "features", "train", "walk"]

MIN_SAMPLES: Final = 10
MAX_DEPTH: Final = 4
DECIDED: Final = 0.5
FEATURES: Final = ("range", "variation")


@dataclass(frozen=True, slots=True)
class Leaf:
    """Share of training flows here that filled a buffer of their own."""

    self_induced: float


@dataclass(frozen=True, slots=True)
class Node:
    """A question: is ``features[feature] <= threshold``?"""

    feature: int
    threshold: float
    below: Node | Leaf
    above: Node | Leaf


def features(flow: Flow) -> tuple[float, float] | None:
    """Return (max - min) / max and standard deviation / mean of the RTTs before the first retransmission.

    None with fewer than `MIN_SAMPLES` samples.
    """
    sent = sent_data(flow)
    times, rtts = rtt_samples(flow, sent)
    # Up to the first retransmission: that is slow start, in which a flow fills its own buffer or meets another's.
    repairs = np.flatnonzero(sent.is_retransmission)
    if len(repairs):
        rtts = rtts[times < sent.t_ns[repairs[0]] / 1e9]
    if len(rtts) < MIN_SAMPLES:
        return None
    return float((rtts.max() - rtts.min()) / rtts.max()), float(rtts.std() / rtts.mean())


def walk(tree: Node | Leaf, values: tuple[float, float]) -> float:
    """Return the share at the leaf that ``values`` fall into."""
    while isinstance(tree, Node):
        tree = tree.below if values[tree.feature] <= tree.threshold else tree.above
    return tree.self_induced


def train(
    values: NDArray[np.float64], labels: NDArray[np.bool_], *, depth: int = MAX_DEPTH, least: int = 5
) -> Node | Leaf:
    """Grow a tree that splits where the Gini impurity falls most.

    Args:
        values: Features, shape (n, 2).
        labels: Whether the flow filled a buffer of its own, shape (n,).
        depth: Questions at most.
        least: Flows at a leaf at least.
    """
    share = float(labels.mean())
    # a leaf of few flows would know them by heart
    if depth == 0 or len(labels) < 2 * least or share in (0.0, 1.0):
        return Leaf(share)
    best: tuple[float, int, float] | None = None
    for feature in range(values.shape[1]):
        order = np.argsort(values[:, feature], kind="stable")
        column, hits = values[order, feature], np.cumsum(labels[order])
        sizes = np.arange(1, len(order))
        below, above = hits[:-1] / sizes, (hits[-1] - hits[:-1]) / (len(order) - sizes)
        impurity = sizes * below * (1 - below) + (len(order) - sizes) * above * (1 - above)
        impurity[(sizes < least) | (len(order) - sizes < least) | (column[1:] == column[:-1])] = np.inf
        place = int(np.argmin(impurity))
        if np.isfinite(impurity[place]) and (best is None or impurity[place] < best[0]):
            best = (float(impurity[place]), feature, float((column[place] + column[place + 1]) / 2))
    if best is None:
        return Leaf(share)
    _, feature, threshold = best
    low = values[:, feature] <= threshold
    return Node(
        feature,
        threshold,
        train(values[low], labels[low], depth=depth - 1, least=least),
        train(values[~low], labels[~low], depth=depth - 1, least=least),
    )


# Grown by benchmarks/detectors_train_signatures.py from 198 flows of ours: narrow lines with a buffer of their own
# against policed lines and a border that others fill. Of the depth allowed, one question was enough for them: the
# tree is one threshold. On 197 flows of other seeds it errs in none; on captures of other networks it does: see
# docs/reference/detectors.md.
TREE: Final = Node(feature=0, threshold=0.414, below=Leaf(0.0), above=Leaf(1.0))


@dataclass(frozen=True)
class SignaturesDetector:
    """Classify each target's slow start.

    A flow that met its limit without a queue of its own is called throttled only in the sense of the paper's second
    class: limited from outside. Congestion elsewhere gives the same signature.
    """

    name: str = "signatures"
    summary: str = "RTT signature of slow start, one threshold (Sundaresan et al., IMC 2017)"
    tree: Node | Leaf = TREE

    def detect(self, observation: Observation) -> Verdict:
        """Judge every target; see `judge_each`."""
        return judge_each(self.name, observation, self._judge)

    def _judge(self, transfer: Transfer) -> Verdict:
        found = features(transfer.sender_flow) if transfer.sender_flow is not None else None
        if found is None:
            why = f"fewer than {MIN_SAMPLES} round-trip times at the data's sender before the first retransmission"
            return inconclusive(self.name, why)
        share = walk(self.tree, found)
        details = dict(zip(FEATURES, found, strict=True))
        seen = f"RTT range {found[0]:.2f} of the maximum, variation {found[1]:.2f}"
        if share >= DECIDED:
            why = f"it filled a buffer of its own: {seen}"
            return Verdict(
                detector=self.name,
                outcome=Outcome.NOT_THROTTLED,
                why=why,
                score=1 - share,
                mechanism=Mechanism.CONGESTION,
                details=details,
            )
        return inconclusive(
            self.name,
            f"no buffer of its own filled (a policer, congestion elsewhere, or no limit): {seen}",
            details=details,
        )
