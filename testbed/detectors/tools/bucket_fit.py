"""Which token bucket explains a sender's losses best, and whether the delays speak of a queue instead.

Derived from the arrival curve A(tau) <= sigma + rho * tau (Cruz 1991). The bound sigma(rho) is the running-minimum
formula; the fit of losses extends PD's steps 7 and 8 (Flach et al. 2016) by a cap on the bucket. Thresholds are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from testbed.detectors.tools.delivery import Fates

__all__ = [
    "AGREEMENT",
    "MIN_LOSSES",
    "MIN_PASSES",
    "QUEUE_SHARE",
    "SLACK_PACKETS",
    "BucketFit",
    "bucket_depth",
    "fit_bucket",
    "queue_share",
    "queue_slope",
]

MIN_LOSSES: Final = 8
MIN_PASSES: Final = 30
AGREEMENT: Final = 0.85  # balanced share of packets whose fate the bucket explains
QUEUE_SHARE: Final = 0.2  # policing lab: policers at most 0.05, queues at least 0.34
LEAST_DELAY_S: Final = 0.005
RATES: Final = np.geomspace(0.7, 1.6, 24)  # candidates, times the rate that passed
DEPTHS: Final = np.geomspace(1.6, 1_400, 24)  # candidates, packets; a full bucket must hold more than one and the slack
MAX_PACKETS: Final = 20_000
TIE: Final = 0.005  # candidates that explain as many packets as the best but for so few are its equals
SLACK_PACKETS: Final = 0.25  # quantisation: this near to the border, a packet may go either way


def bucket_depth(times_s: NDArray[np.float64], sizes: NDArray[np.float64], *, rate_bps: float) -> float:
    """Return the least depth (bytes) of a bucket, filled at ``rate_bps``, that lets every packet pass.

    It is max over s <= t of N(t) - N(s-) - rate * (t - s), by a running minimum in O(n).

    Args:
        times_s: Arrival times, not decreasing, shape (n,).
        sizes: Bytes, shape (n,).
        rate_bps: Bits a second.
    """
    if not len(times_s):
        return 0.0
    filled = rate_bps / 8 * times_s
    after = np.cumsum(sizes) - filled
    before = after - sizes
    return float((after - np.minimum.accumulate(before)).max())


@dataclass(frozen=True, slots=True)
class BucketFit:
    """The bucket that explains a sender's losses best.

    Attributes:
        rate_bps, depth_bytes: Of wire bytes.
        caught: Share of lost packets that found it empty.
        spared: Share of passed packets that found it filled.
        period_s: Time between refills, 0 for a bucket that is filled continuously.
    """

    rate_bps: float
    depth_bytes: float
    caught: float
    spared: float
    period_s: float = 0.0

    @property
    def agreement(self) -> float:
        """Mean of both shares: 0.5 is chance."""
        return (self.caught + self.spared) / 2


def fit_bucket(found: Fates) -> BucketFit | None:
    """Search rates and depths for the bucket that best tells lost from passed packets.

    Every candidate starts full, is charged for what really passed, and is asked before each packet whether it holds
    enough for it. Only the first `MAX_PACKETS` packets of a longer transfer are used.

    Returns:
        The best candidate, or None with fewer than `MIN_LOSSES` losses, `MIN_PASSES` passes, or no time between losses.
    """
    times_s, sizes, lost = found.times_s[:MAX_PACKETS], found.sizes[:MAX_PACKETS], found.lost[:MAX_PACKETS]
    if lost.sum() < MIN_LOSSES or (~lost).sum() < MIN_PASSES:
        return None
    # Between two losses the bucket was empty at both ends: what passed in between came in meanwhile. That gives
    # the rate to search around.
    where = np.flatnonzero(lost)
    elapsed = float(times_s[where[-1]] - times_s[where[0]])
    passed_between = float(sizes[where[0] : where[-1]][~lost[where[0] : where[-1]]].sum())
    if passed_between <= 0 or elapsed <= 0:
        return None
    rate, depth = (grid.ravel() for grid in np.meshgrid(RATES * passed_between / elapsed, DEPTHS * np.median(sizes)))
    levels = _levels(times_s, sizes, lost, rate=rate, depth=depth)
    slack = SLACK_PACKETS * float(np.median(sizes))
    caught, spared = np.zeros(len(rate)), np.zeros(len(rate))
    # Packet by packet, and all candidates at once: there are hundreds of candidates and thousands of packets.
    for level, size, gone in zip(levels, sizes.tolist(), lost.tolist(), strict=True):
        if gone:
            caught += level < size + slack
        else:
            spared += level >= size - slack
    caught, spared = caught / lost.sum(), spared / (~lost).sum()
    # several candidates explain the same packets: of the best, take a middle rate, and for it the smallest depth
    agreement = caught + spared
    good = np.flatnonzero(agreement >= agreement.max() - TIE)
    middle = np.median(np.log(rate[good]))
    nearest = np.abs(np.log(rate[good]) - middle)
    best = int(good[np.lexsort((depth[good], np.round(nearest, 6)))[0]])
    return BucketFit(float(rate[best] * 8), float(depth[best]), float(caught[best]), float(spared[best]))


def _levels(
    times_s: NDArray[np.float64],
    sizes: NDArray[np.float64],
    lost: NDArray[np.bool_],
    *,
    rate: NDArray[np.float64],
    depth: NDArray[np.float64],
) -> Iterator[NDArray[np.float64]]:
    """Yield, before each packet, what every candidate bucket holds (bytes); the array is reused."""
    level = depth.copy()
    # A candidate is charged for what really passed, also where it would have dropped it. Without a floor, one that is a
    # little too small would sink for ever and call every later packet lost.
    deficit = -SLACK_PACKETS * float(np.median(sizes))
    steps = np.maximum(np.diff(times_s, prepend=times_s[0]), 0)
    for step, size, gone in zip(steps.tolist(), sizes.tolist(), lost.tolist(), strict=True):
        level += rate * step
        np.minimum(level, depth, out=level)
        yield level
        if not gone:
            level -= size
            np.maximum(level, deficit, out=level)


def queue_share(found: Fates, fit: BucketFit) -> float | None:
    """Return how much of the delay that a queue would add shows in the packets' delays: 0 for a policer, 1 for a queue.

    A queue of depth B drained at rate r drops when a bucket of that depth and rate is empty, but until then it delays
    by (B - level) / r; a policer delays nothing. The 90th percentile of that delay is compared with the distance from
    the least (1st percentile) to the 90th percentile of the delays that were seen.

    Returns:
        The share, or None with fewer than `MIN_PASSES` delays or where a queue would delay too little to tell.
    """
    known = np.isfinite(found.delays_s)
    if known.sum() < MIN_PASSES:
        return None
    expected = float(np.percentile(_backlog_s(found, fit)[known], 90))
    least, most = np.percentile(found.delays_s[known], [1, 90])
    return float(most - least) / expected if expected >= LEAST_DELAY_S else None


def queue_slope(found: Fates, fit: BucketFit) -> float | None:
    """Return the slope of the packets' delays over those that a queue like the bucket would add: 0 policer, 1 queue.

    Unlike `queue_share`, it leaves out what has nothing to do with the bucket, as the queues of other flows.

    Returns:
        The slope of the least squares, or None with fewer than `MIN_PASSES` delays or where such a queue would never
        delay by enough to tell.
    """
    known = np.isfinite(found.delays_s)
    if known.sum() < MIN_PASSES:
        return None
    expected_s = _backlog_s(found, fit)[known]
    if np.ptp(expected_s) < LEAST_DELAY_S:
        return None
    return float(np.cov(expected_s, found.delays_s[known])[0, 1] / expected_s.var(ddof=1))


def _backlog_s(found: Fates, fit: BucketFit) -> NDArray[np.float64]:
    """Return how long each packet would wait in a queue that is as long as the bucket is short of full."""
    rate, depth = np.array([fit.rate_bps / 8]), np.array([fit.depth_bytes])
    levels = _levels(found.times_s, found.sizes, found.lost, rate=rate, depth=depth)
    level = np.array([float(held[0]) for held in levels])
    return (fit.depth_bytes - level) / float(rate[0])
