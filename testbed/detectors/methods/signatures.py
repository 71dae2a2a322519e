"""TCP congestion signatures: did this flow fill a buffer of its own during slow start, or meet a limit without one?

Source: Sundaresan et al., "TCP Congestion Signatures", IMC 2017: the features. Their tree is not published. Ours is one
threshold on one of the two features, the range of the round-trip times: nothing more could be grown from our runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.rtt import rtt_samples, sent_data
from testbed.detectors.tools.subjects import judge_each
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from testbed.capture import Flow
    from testbed.detectors.observation import Observation, Transfer

__all__ = ["RANGE", "SignaturesDetector", "features"]

MIN_SAMPLES: Final = 10
FEATURES: Final = ("range", "variation")
RANGE: Final = 0.416
"""From which range on a flow filled a buffer of its own: benchmarks/detectors_train_signatures.py finds it in runs of
ours. A buffer as long as the path (the rule of Villamizar and Song, CCR 1994) would double the least round trip: 0.5.
On captures of other networks it errs: docs/reference/detectors.md."""


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


@dataclass(frozen=True)
class SignaturesDetector:
    """Classify each target's slow start.

    A flow that met its limit without a queue of its own is called throttled only in the sense of the paper's second
    class: limited from outside. Congestion elsewhere gives the same signature.
    """

    name: str = "signatures"
    summary: str = "RTT signature of slow start, one threshold (Sundaresan et al., IMC 2017)"
    threshold: float = RANGE

    def detect(self, observation: Observation) -> Verdict:
        """Judge every target; see `judge_each`."""
        return judge_each(self.name, observation, self._judge)

    def _judge(self, transfer: Transfer) -> Verdict:
        found = features(transfer.sender_flow) if transfer.sender_flow is not None else None
        if found is None:
            why = f"fewer than {MIN_SAMPLES} round-trip times at the data's sender before the first retransmission"
            return inconclusive(self.name, why)
        details = dict(zip(FEATURES, found, strict=True))
        seen = f"RTT range {found[0]:.2f} of the maximum, variation {found[1]:.2f}"
        if found[0] > self.threshold:
            why = f"it filled a buffer of its own: {seen}"
            return Verdict(
                detector=self.name,
                outcome=Outcome.NOT_THROTTLED,
                why=why,
                score=0.0,
                mechanism=Mechanism.CONGESTION,
                details=details,
            )
        return inconclusive(
            self.name,
            f"no buffer of its own filled (a policer, congestion elsewhere, or no limit): {seen}",
            details=details,
        )
