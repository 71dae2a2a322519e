"""A bucket that is refilled in lumps: does one explain which packets were lost?

The meter of the slowdown of 2021 behaves so as far as Fig. 5 of Xue et al., IMC 2021, shows: lumps of 128-150 kbit
each 1.24-1.32 s mispredict 2-4 of its 96 packets, a bucket filled continuously 13. The fit is that of `conformance`,
with period and phase beside rate and depth; having more freedom, it must explain more to be believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.bucket_fit import MIN_LOSSES, MIN_PASSES, SLACK_PACKETS, BucketFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.tools.delivery import Fates

__all__ = ["COARSE_AGREEMENT", "fit_coarse_refill"]

COARSE_AGREEMENT: Final = (
    0.90  # policing lab and runs with other meters: at most 0.89; with such a meter: at least 0.91
)
PERIODS_S: Final = np.geomspace(0.4, 3.0, 24)
PHASES: Final = np.arange(16) / 16  # of a period
RATES: Final = np.linspace(0.85, 1.35, 8)  # candidates, times the rate that passed
CAPS: Final = (1.0, 1.1)  # of a lump
MAX_PACKETS: Final = 3_000
FIRST_SPAN_S: Final = 8.0  # after the first loss: an error of the period adds up, so the search begins with few periods
REFINEMENTS: Final = ((0.06, 20.0), (0.02, np.inf), (0.006, np.inf))  # relative reach, and span in seconds
MIN_PERIODS: Final = 5  # that a transfer must span


def fit_coarse_refill(found: Fates) -> BucketFit | None:
    """Search periods, phases, lumps and caps for the bucket that best tells lost from passed packets.

    Only the first `MAX_PACKETS` packets of a longer transfer are used.

    Returns:
        The best candidate, or None with too few losses or passes, or a transfer too short for `MIN_PERIODS`.
    """
    times_s, sizes, lost = found.times_s[:MAX_PACKETS], found.sizes[:MAX_PACKETS], found.lost[:MAX_PACKETS]
    if lost.sum() < MIN_LOSSES or (~lost).sum() < MIN_PASSES:
        return None
    first, last = (float(times_s[place]) for place in np.flatnonzero(lost)[[0, -1]])
    between = (times_s >= first) & (times_s < last)
    passed = float(sizes[between & ~lost].sum())
    periods = PERIODS_S[last - first >= PERIODS_S * MIN_PERIODS]
    if not len(periods) or passed <= 0:
        return None
    # Coarsely over few periods, then finely over all: a period that is wrong by one in a hundred is half a period off
    # after fifty of them, and over a long transfer no coarse grid would meet it.
    fit, phase = _best(_until(found, first + FIRST_SPAN_S), periods, PHASES, RATES * passed / (last - first), CAPS)
    for reach, span_s in REFINEMENTS:
        near = np.linspace(-reach, reach, 9)
        cap = fit.depth_bytes / (fit.rate_bps / 8 * fit.period_s)
        caps = tuple(cap * (1 + step) for step in (-reach / 2, 0.0, reach / 2))
        rates = fit.rate_bps / 8 * (1 + near)
        fit, phase = _best(_until(found, first + span_s), fit.period_s * (1 + near), phase + near, rates, caps)
    return fit


def _until(found: Fates, end_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    count = min(int(np.searchsorted(found.times_s, end_s, side="right")), MAX_PACKETS)
    return found.times_s[:count], found.sizes[:count], found.lost[:count]


def _best(
    packets: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]],
    periods: NDArray[np.float64],
    phases: NDArray[np.float64],
    rates: NDArray[np.float64],
    caps: tuple[float, ...],
) -> tuple[BucketFit, float]:
    """Try every combination; return the best and its phase, a share of the period, relative to the first loss."""
    times_s, sizes, lost = packets
    grid = np.meshgrid(periods, phases, rates, caps, indexing="ij")
    period, phase, rate, spare = (axis.ravel() for axis in grid)
    lump = rate * period
    cap = lump * spare
    slack = SLACK_PACKETS * float(np.median(sizes))
    clock = times_s - times_s[np.flatnonzero(lost)[0]]
    level, filled = cap.copy(), np.floor(float(clock[0]) / period - phase)
    caught, spared = np.zeros(len(period)), np.zeros(len(period))
    last_s = float(clock[0])
    for time_s, size, gone in zip(clock.tolist(), sizes.tolist(), lost.tolist(), strict=True):
        if time_s > last_s:  # packets of one instant meet one level
            now = np.floor(time_s / period - phase)
            level = np.minimum(cap, level + (now - filled) * lump)
            filled, last_s = now, time_s
        if gone:
            caught += level < size + slack
        else:
            spared += level >= size - slack
            level = np.maximum(level - size, -slack)
    caught, spared = caught / max(int(lost.sum()), 1), spared / max(int((~lost).sum()), 1)
    best = int(np.argmax(caught + spared))
    fit = BucketFit(
        rate_bps=float(rate[best] * 8),
        depth_bytes=float(cap[best]),
        caught=float(caught[best]),
        spared=float(spared[best]),
        period_s=float(period[best]),
    )
    return fit, float(phase[best])
