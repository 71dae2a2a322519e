"""Token-bucket conformance: does a bucket of some rate and depth explain which packets were lost?

The fit is that of `testbed.detectors.tools.bucket_fit`: arrival curves A(tau) <= sigma + rho * tau (Cruz 1991), and
PD's steps 7 and 8 (Flach et al., SIGCOMM 2016) with a cap on the bucket. Thresholds are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbed.detectors.tools.bucket_fit import AGREEMENT, MIN_PASSES, QUEUE_SHARE, fit_bucket, queue_share
from testbed.detectors.tools.delivery import fates
from testbed.detectors.tools.subjects import judge_each
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation, Transfer

__all__ = ["TokenBucketDetector"]


@dataclass(frozen=True)
class TokenBucketDetector:
    """Policed if a bucket explains the losses and round-trip times stayed flat."""

    name: str = "token-bucket"
    summary: str = "token-bucket conformance of losses (arrival curves; thresholds ours)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge every target; see `judge_each`."""
        return judge_each(self.name, observation, self._judge)

    def _judge(self, transfer: Transfer) -> Verdict:
        found = fates(transfer)
        if found is None:
            return inconclusive(self.name, "the fit needs packets captured at the data's sender")
        if not found.lost.any() and len(found) >= MIN_PASSES:
            return Verdict(detector=self.name, outcome=Outcome.NOT_THROTTLED, why="not one packet was lost", score=0.0)
        fit = fit_bucket(found)
        if fit is None:
            why = f"{int(found.lost.sum())} losses in {len(found)} packets are too few to fit"
            return inconclusive(self.name, why)
        share = queue_share(found, fit)
        is_queue = share is not None and share >= QUEUE_SHARE
        bucket = f"{fit.rate_bps / 1e3:.0f} kbit/s and {fit.depth_bytes / 1e3:.0f} kB"
        explains = f"a bucket of {bucket} explains {fit.caught:.0%} of losses and {fit.spared:.0%} of passes"
        details = {"agreement": fit.agreement, "caught": fit.caught, "spared": fit.spared, "queue_share": share}
        # A drop-tail queue loses the same packets as a bucket of its size and rate. Only delays tell them apart.
        if share is None and fit.agreement >= AGREEMENT:
            return inconclusive(self.name, f"{explains}; but no delays tell it from a queue", details=details)
        policed = fit.agreement >= AGREEMENT and not is_queue
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED if policed else Outcome.NOT_THROTTLED,
            why=explains + ("; but delays rose with it: a queue" if is_queue else ""),
            score=fit.agreement,
            rate_bps=fit.rate_bps if policed else None,
            burst_bytes=fit.depth_bytes if policed else None,
            mechanism=Mechanism.POLICING if policed else Mechanism.CONGESTION if is_queue else None,
            onset_s=float(found.times_s[np.flatnonzero(found.lost)[0]]) if policed else None,
            details=details,
        )
