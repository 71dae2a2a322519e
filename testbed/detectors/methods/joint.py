"""The testbed's own detector: contrast with a control, and a mechanism that explains it.

It assumes a target and a control fetched over the same line at nearly the same time, of similar size; a capture at the
data's sender (better: at both ends) tells the mechanism, and without one it can only say "slower, at a steady rate".
Thresholds were set on the policing lab's captures (Flach et al., SIGCOMM 2016) and on runs of the first day with seeds
11 to 21: with slow lines, small queues, other congestion control, and other censors.

A transfer is throttled if it is slower than its control and the cause sits on the path and singles it out:
policing    a token bucket, filled continuously or in lumps, explains which packets were lost, and delays do not show
            the queue that it would be
shaping     delays show a queue that empties at a constant rate, and the control met none such
loss        a share of packets was lost that the control's losses cannot explain
It is not if both are alike, if the ends were the limit, if the cause varies as congestion does, or if nothing passed
at all (blocked) or nothing more after some bytes (frozen): those are reported as mechanisms, but they are not rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import CLOCK_S, Ending
from testbed.detectors.tools.bucket_fit import AGREEMENT, QUEUE_SHARE, BucketFit, fit_bucket, queue_share
from testbed.detectors.tools.coarse_refill import COARSE_AGREEMENT, fit_coarse_refill
from testbed.detectors.tools.delivery import Fates, drain, fates
from testbed.detectors.tools.samples import slice_speeds
from testbed.detectors.tools.subjects import pairs
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation, Transfer

__all__ = ["JointDetector"]

CERTAIN: Final = 0.95  # a bucket filled continuously that explains so many packets needs no rival
CONTRAST: Final = 1.5  # time for the same bytes, target over control
POLICED_CONTRAST: Final = 1.0  # enough where a policer is seen on the target alone, and its losses too
BLIND_CONTRAST: Final = 2.0  # without packets
SILENCE_S: Final = 5.0
SILENT_SHARE: Final = 0.5
QUEUE_RTTS: Final = 0.5  # median delay above the least, in least round trips, that makes a queue
QUEUE_S: Final = 0.05
STEADY_SPREAD: Final = 0.35  # (90th - 10th percentile) / median of the speeds of windows, or of a queue's drain
BLIND_SPREAD: Final = 0.6
HELD_S: Final = 0.1  # by so much the fastest packet must be slower than the control's fastest
SAME_PATH: Final = 0.2  # relative difference of TCP handshake times on what counts as paths of one length
WINDOWS: Final = 8
LOSS_EXCESS: Final = 0.05
LOSS_Z: Final = 4.0
CLEAN_LOSS: Final = 0.01
MIN_PACKETS: Final = 8


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the packets of one transfer tell."""

    found: Fates
    fit: BucketFit | None
    share: float | None
    least_delay_s: float
    delay_s: float  # median above the least

    @property
    def policed(self) -> bool:
        if self.fit is None or self.fit.agreement < (COARSE_AGREEMENT if self.fit.period_s else AGREEMENT):
            return False
        return self.share is not None and self.share < QUEUE_SHARE


@dataclass(frozen=True, slots=True)
class _Pair:
    """A target beside its control, as far as the packets of both tell.

    Attributes:
        target: The transfer that is judged.
        contrast: How many times longer it took for the same bytes.
        mine: What its packets tell.
        theirs: What the control's packets tell, or None: it was not captured at its sender.
        held_s: By how much its fastest packet was slower than the control's, seconds.
        loss_excess: By how much its share of lost packets exceeds the control's.
        loss_z: How sure that is, in standard deviations.
    """

    target: Transfer
    contrast: float
    mine: _Evidence
    theirs: _Evidence | None
    held_s: float
    loss_excess: float
    loss_z: float

    @property
    def slower(self) -> str:
        """The contrast in words."""
        return _slower(self.contrast)


def _slower(contrast: float) -> str:
    return f"{contrast:.1f} times the control's time"


@dataclass(frozen=True)
class JointDetector:
    """Pair, compare, explain."""

    name: str = "joint"
    summary: str = "contrast with a control, explained by packets (this testbed)"
    version: str = "1"

    def detect(self, observation: Observation) -> Verdict:
        """Judge every pair; one throttled pair decides."""
        verdicts = [self._judge(target, control) for target, control in pairs(observation)]
        if not verdicts:
            return inconclusive(self.name, "the detector needs a target and a control of the same direction")
        order = [Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE]
        return min(verdicts, key=lambda verdict: (order.index(verdict.outcome), -(verdict.score or 0.0)))

    def _judge(self, target: Transfer, control: Transfer) -> Verdict:
        if not control.total_bytes:
            return inconclusive(self.name, f"control {control.id} moved no data: the path itself may be broken")
        # Asked before any speed is compared: what moves nothing, or stops for good, has a speed that means nothing.
        if not target.total_bytes:
            return self._not(Mechanism.BLOCKED, "the target moved no data while its control did: blocked, not slowed")
        if _is_frozen(target):
            why = f"the target stopped for good after {target.total_bytes} bytes: frozen, not slowed"
            return self._not(Mechanism.FROZEN, why)
        contrast = _contrast(target, control)
        if contrast is None:
            return inconclusive(self.name, "target and control have too few bytes in common to compare")
        mine, theirs = _evidence(target), _evidence(control)
        if mine is None:
            return self._without_packets(target, contrast)
        held_s = _held_back_s(target, control, mine, theirs) if theirs is not None else 0.0
        excess, z = _loss_excess(mine, theirs)
        return self._explain(_Pair(target, contrast, mine, theirs, held_s=held_s, loss_excess=excess, loss_z=z))

    def _explain(self, pair: _Pair) -> Verdict:
        """Return the first explanation that fits, or that the ends were the limit.

        The order matters. A policer shows in the target's packets alone, so that a small contrast is enough for it; for
        all others target and control have to differ first. A full queue drops, too, and so is asked about before losses
        are.
        """
        for explain in (self._policing, self._alike, self._queue, self._loss, self._held_back, self._stray_losses):
            verdict = explain(pair)
            if verdict is not None:
                return verdict
        why = f"{pair.slower}, but neither losses nor a queue: its ends were the limit"
        return self._not(Mechanism.APP_LIMITED, why, pair.contrast)

    def _policing(self, pair: _Pair) -> Verdict | None:
        mine, theirs, fit = pair.mine, pair.theirs, pair.mine.fit
        alone = theirs is not None and not theirs.policed and pair.loss_z >= LOSS_Z
        if not mine.policed or fit is None or pair.contrast < (POLICED_CONTRAST if alone else CONTRAST):
            return None
        filled = f", filled every {fit.period_s:.2f} s," if fit.period_s else ""
        bucket = f"a bucket of {fit.rate_bps / 1e3:.0f} kbit/s, {fit.depth_bytes / 1e3:.0f} kB{filled}"
        why = f"{pair.slower}; {bucket} explains {fit.agreement:.0%} of packets, and no queue shows"
        onset_s = float(mine.found.times_s[np.flatnonzero(mine.found.lost)[0]])
        return self._yes(
            Mechanism.POLICING, why, pair.contrast, rate_bps=fit.rate_bps, burst=fit.depth_bytes, onset=onset_s
        )

    def _alike(self, pair: _Pair) -> Verdict | None:
        if pair.contrast >= CONTRAST:
            return None
        limited = pair.mine.policed or pair.mine.delay_s >= QUEUE_S
        return self._not(None, f"{pair.slower}: alike" + (", and limited alike" if limited else ""), pair.contrast)

    def _queue(self, pair: _Pair) -> Verdict | None:
        mine, theirs = pair.mine, pair.theirs
        shared = theirs is not None and _queued(theirs) and theirs.delay_s >= mine.delay_s / 2
        if not _queued(mine) or shared:
            return None
        spread, rate_bps = _steadiness(pair.target)
        emptied = drain(mine.found, waited_s=QUEUE_S)
        if emptied is not None and (spread is None or emptied.spread < spread):
            spread, rate_bps = emptied.spread, emptied.rate_bps
        if spread is not None and spread <= STEADY_SPREAD:
            queue = f"a queue of {mine.delay_s * 1e3:.0f} ms empties at a steady rate (spread {spread:.0%})"
            return self._yes(Mechanism.SHAPING, f"{pair.slower}; {queue}", pair.contrast, rate_bps=rate_bps)
        return self._not(Mechanism.CONGESTION, f"{pair.slower}; a queue, but no steady rate", pair.contrast)

    def _loss(self, pair: _Pair) -> Verdict | None:
        if pair.loss_excess < LOSS_EXCESS or pair.loss_z < LOSS_Z:
            return None
        lost = f"{pair.mine.found.loss_share:.0%} of its packets were lost"
        why = f"{pair.slower}; {lost}, {pair.loss_excess:.0%} more than the control's"
        return self._yes(Mechanism.LOSS, why, pair.contrast, rate_bps=pair.target.goodput_bps)

    def _held_back(self, pair: _Pair) -> Verdict | None:
        if pair.held_s < HELD_S:
            return None
        later = f"its packets came {pair.held_s * 1e3:.0f} ms later than the control's, on a path as long"
        return self._yes(Mechanism.SHAPING, f"{pair.slower}; {later}", pair.contrast, rate_bps=None)

    def _stray_losses(self, pair: _Pair) -> Verdict | None:
        share = pair.mine.found.loss_share
        if share <= CLEAN_LOSS:
            return None
        return self._not(Mechanism.LOSS, f"{pair.slower}; {share:.1%} of packets lost without a pattern", pair.contrast)

    def _without_packets(self, target: Transfer, contrast: float) -> Verdict:
        slower = _slower(contrast)
        if contrast < BLIND_CONTRAST:
            return self._not(None, f"{slower}: alike", contrast)
        spread, rate_bps = _steadiness(target)
        if spread is not None and spread <= BLIND_SPREAD:
            why = (
                f"{slower}, at a steady rate (spread {spread:.0%}); without packets at the sender the cause stays open"
            )
            return self._yes(None, why, contrast, rate_bps=rate_bps)
        return inconclusive(self.name, f"{slower}, at no steady rate; packets at the sender would tell why")

    def _yes(
        self,
        mechanism: Mechanism | None,
        why: str,
        contrast: float,
        *,
        rate_bps: float | None,
        burst: float | None = None,
        onset: float | None = None,
    ) -> Verdict:
        return Verdict(
            detector=self.name,
            version=self.version,
            outcome=Outcome.THROTTLED,
            why=why,
            score=contrast,
            rate_bps=rate_bps,
            burst_bytes=burst,
            mechanism=mechanism,
            content_specific=True,
            onset_s=onset,
        )

    def _not(self, mechanism: Mechanism | None, why: str, contrast: float = 0.0) -> Verdict:
        return Verdict(
            detector=self.name,
            version=self.version,
            outcome=Outcome.NOT_THROTTLED,
            why=why,
            score=min(contrast, 1.0),
            mechanism=mechanism,
        )


def _is_frozen(transfer: Transfer) -> bool:
    if transfer.ending is Ending.COMPLETE or transfer.ended_s is None:
        return False
    silence_s = transfer.ended_s - transfer.duration_s
    return silence_s >= SILENCE_S and silence_s >= SILENT_SHARE * transfer.ended_s


def _contrast(target: Transfer, control: Transfer) -> float | None:
    """Return how many times longer the target took for the bytes that both moved."""
    size = min(target.total_bytes, control.total_bytes)
    times = [float(item.times_s[np.flatnonzero(item.bytes >= size)[0]]) for item in (target, control)]
    return times[0] / times[1] if min(times) >= CLOCK_S else None


def _evidence(transfer: Transfer) -> _Evidence | None:
    found = fates(transfer)
    if found is None or len(found) < MIN_PACKETS:
        return None
    fit = fit_bucket(found)
    if fit is not None and fit.agreement < CERTAIN:
        # A bucket filled in lumps has two parameters more. It is believed only where it explains more, and much.
        coarse = fit_coarse_refill(found)
        if coarse is not None and coarse.agreement >= max(COARSE_AGREEMENT, fit.agreement):
            fit = coarse
    known = found.delays_s[np.isfinite(found.delays_s)]
    # the first percentile, not the least: one wrong time stamp would make all others wait
    least_s = float(np.percentile(known, 1)) if len(known) else 0.0
    delay_s = float(np.median(known)) - least_s if len(known) else 0.0
    return _Evidence(found, fit, queue_share(found, fit) if fit is not None else None, least_s, delay_s)


def _held_back_s(target: Transfer, control: Transfer, mine: _Evidence, theirs: _Evidence) -> float:
    """Return by how much the target's fastest packet was slower than the control's; 0 where the paths may differ.

    One-way delays are comparable only between the same two clocks, so both must have the same ends.
    """
    ends = [item.sender_flow.b[0] if item.sender_flow is not None else "" for item in (target, control)]
    if ends[0] != ends[1] or mine.found.paired != theirs.found.paired:
        return 0.0
    if target.connect_s is None or control.connect_s is None:
        return 0.0
    if abs(target.connect_s - control.connect_s) > SAME_PATH * control.connect_s:
        return 0.0
    return mine.least_delay_s - theirs.least_delay_s


def _queued(evidence: _Evidence) -> bool:
    # one-way delays have no scale of their own (their zero is anywhere), round trips have that of the path
    least_s = 0.0 if evidence.found.paired else evidence.least_delay_s
    return evidence.delay_s >= max(QUEUE_S, QUEUE_RTTS * least_s)


def _steadiness(transfer: Transfer) -> tuple[float | None, float | None]:
    """Return the relative spread of the speed over the second half of the time, and its median."""
    # the second half: a burst and slow start lie in the first
    speeds = slice_speeds(transfer, width_s=transfer.duration_s / (2 * WINDOWS))[WINDOWS:]
    low, middle, high = np.percentile(speeds, [10, 50, 90]) if len(speeds) >= WINDOWS // 2 else (0.0, 0.0, 0.0)
    return (float((high - low) / middle), float(middle)) if middle > 0 else (None, None)


def _loss_excess(mine: _Evidence, theirs: _Evidence | None) -> tuple[float, float]:
    """Return by how much the loss shares differ, and the two-proportion z of that."""
    if theirs is None:
        return 0.0, 0.0
    n, m = len(mine.found), len(theirs.found)
    pooled = (int(mine.found.lost.sum()) + int(theirs.found.lost.sum())) / (n + m)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    excess = mine.found.loss_share - theirs.found.loss_share
    return excess, float(excess / deviation) if deviation > 0 else 0.0
