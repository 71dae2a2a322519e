"""ShaperProbe: find a level shift in a receiver's rate series, and the rate and depth of the bucket behind it.

Source: Kanuparthy & Dovrolis, "ShaperProbe: End-to-end Detection of ISP Traffic Shaping using Active Methods",
IMC 2011. Written from a description of the algorithm; the released C (kvbp2k/shaperprobe at cfe1f4d) is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.samples import slice_speeds
from testbed.detectors.tools.subjects import judge_each
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.detectors.observation import Observation, Transfer

__all__ = ["LevelShift", "ShaperprobeDetector", "find_level_shift"]

SLICE_S: Final = 0.3  # of the released client; 0.5 is the library's default
RATIO: Final = 1.10
SMOOTHING_REACH: Final = 5  # neighbours on either side
SMOOTHING_FROM: Final = 11  # values
SEARCH_FROM: Final = 12  # index of the value from which on shifts are looked for
LEFT_MARGIN: Final = 3
RIGHT_MARGIN: Final = 8
KB: Final = 1.024  # the released code's factor from 1,000 bytes to what it calls KB
BYTES_A_KB: Final = 1000 / KB


@dataclass(frozen=True, slots=True)
class LevelShift:
    """A drop of the rate.

    Attributes:
        found_at: Index of the value at which it was found.
        start: Index of the first value after the drop began.
        end: Index of the first value after it was over.
        rate_kbps: Median rate afterwards, kbit/s.
        bucket_min_kb, bucket_max_kb: Bounds of the bucket depth, in the released code's KB of 1,000 / 1.024 bytes.
    """

    found_at: int
    start: int
    end: int
    rate_kbps: float
    bucket_min_kb: int
    bucket_max_kb: int


class _Series:
    """Rates with ranks that are kept up to date as values come in and outliers are smoothed."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.ranks: list[int] = []

    def append(self, rate: float) -> None:
        # Ranks are kept up to date as the released code does it, ties and all: which shift is found depends on them.
        rank: int | None = None
        for place, earlier in enumerate(self.rates):
            if rate < earlier:
                rank = self.ranks[place] if rank is None else min(rank, self.ranks[place])
                self.ranks[place] += 1
            elif rate == earlier:
                rank = self.ranks[place]
        self.rates.append(rate)
        self.ranks.append(len(self.rates) if rank is None else rank)
        if len(self.rates) >= SMOOTHING_FROM:
            self._smooth(len(self.rates) - 1 - SMOOTHING_REACH)

    def _smooth(self, centre: int) -> None:
        left = float(np.median(self.rates[centre - SMOOTHING_REACH : centre]))
        right = float(np.median(self.rates[centre + 1 : centre + 1 + SMOOTHING_REACH]))
        old = self.rates[centre]
        above = old / left > RATIO and old / right > RATIO
        below = left / old > RATIO and right / old > RATIO
        if not (above or below):
            return
        new = (left + right) / 2
        falls = new < old
        passed = [
            place for place, rate in enumerate(self.rates) if place != centre and min(old, new) < rate < max(old, new)
        ]
        # as released: the value takes the least rank (falling) or the greatest (rising) of those that it passes
        if passed:
            ranks = [self.ranks[place] for place in passed]
            self.ranks[centre] = min(ranks) if falls else max(ranks)
        for place in passed:
            self.ranks[place] += 1 if falls else -1
        self.rates[centre] = new

    def shift(self) -> tuple[int, int] | None:
        """Return where a drop begins and where it is over, or None."""
        last = len(self.rates) - 1
        # A drop lies where every rank before it is at least as high as every rank behind it.
        highest_after = np.maximum.accumulate(np.array(self.ranks)[::-1])[::-1]
        lowest_before = np.minimum.accumulate(np.array(self.ranks))
        candidates = np.flatnonzero(highest_after[1:] <= lowest_before[:-1])
        for place in candidates.tolist():
            if LEFT_MARGIN <= place <= last - RIGHT_MARGIN:
                before, after = np.median(self.rates[: place + 1]), np.median(self.rates[place + 1 :])
                if after <= 0 or before / after > RATIO:
                    return place + 1, int(candidates[-1]) + 1
        return None


def find_level_shift(
    times_s: Sequence[float], rates_kbps: Sequence[float], *, slice_s: float = SLICE_S
) -> LevelShift | None:
    """Look for a level shift value by value, and stop at the first.

    Args:
        times_s: Time of each slice, seconds.
        rates_kbps: Received rate in it, kbit/s; empty slices are not part of the series.
        slice_s: Length of a slice, seconds.
    """
    series = _Series()
    for place, rate in enumerate(rates_kbps):
        series.append(float(rate))
        if place < SEARCH_FROM or (found := series.shift()) is None:
            continue
        start, end = found
        rate_after = float(np.median(series.rates[end:]))
        passed_kb = 0.0
        for before in series.rates[:start]:  # each addend is scaled, as released: another order rounds otherwise
            passed_kb += before * slice_s / 8
        elapsed = times_s[start] - times_s[0]
        sent_kbps = 8 * passed_kb / elapsed if elapsed > 0 else 0.0
        centre, reach = passed_kb - start * rate_after * slice_s / 8, (sent_kbps - rate_after) * slice_s / 16
        return LevelShift(
            found_at=place,
            start=start,
            end=end,
            rate_kbps=rate_after,
            bucket_min_kb=int(int(centre - reach) * KB),
            bucket_max_kb=int(int(centre + reach) * KB),
        )
    return None


@dataclass(frozen=True)
class ShaperprobeDetector:
    """Look for a level shift in what each target's receiver got.

    The method probes at the path's capacity over UDP; a TCP transfer stands in for the probe here. It is blind to
    limits from the first byte, to buckets emptied within three slices, and to limits within 10 % of the capacity.
    """

    name: str = "shaperprobe"
    summary: str = "level shift of the received rate (Kanuparthy & Dovrolis, IMC 2011)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge every target; see `judge_each`."""
        return judge_each(self.name, observation, self._judge, version="2")

    def _judge(self, transfer: Transfer) -> Verdict:
        # Slices without a byte are no part of the series, as released: a pause would look like the lowest of levels.
        rates = slice_speeds(transfer, width_s=SLICE_S) / 1e3
        times = (np.arange(len(rates)) * SLICE_S)[rates > 0]
        rates = rates[rates > 0]
        if len(rates) <= SEARCH_FROM:
            why = f"{len(rates)} slices of {SLICE_S} s with data; the search begins at {SEARCH_FROM + 1}"
            return inconclusive(self.name, why)
        shift = find_level_shift(times.tolist(), rates.tolist())
        if shift is None:
            why = "no level shift: the rate never fell for good by 10 % (a limit from the first byte shows none)"
            return Verdict(detector=self.name, outcome=Outcome.NOT_THROTTLED, why=why, score=0.0)
        before = float(np.median(rates[: shift.start]))
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED,
            why=f"the rate fell from {before:.0f} to {shift.rate_kbps:.0f} kbit/s after {times[shift.start]:.1f} s",
            score=before / max(shift.rate_kbps, 1e-9),
            rate_bps=shift.rate_kbps * 1e3,
            burst_bytes=max(0.0, (shift.bucket_min_kb + shift.bucket_max_kb) / 2 * BYTES_A_KB),
            mechanism=Mechanism.SHAPING,
            onset_s=float(times[shift.start]),
            details={"bucket_min_kb": shift.bucket_min_kb, "bucket_max_kb": shift.bucket_max_kb},
        )
