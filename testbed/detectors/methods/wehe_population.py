"""Wehe's population rule: many paired tests of one network show a policy and its fixed rate.

Source: Li et al., "A Large-Scale Analysis of Deployed Traffic Differentiation Practices", SIGCOMM 2019; steps and their
peculiarities as in FangfanLi/weheAnalysisPublicRepo at 4b557e4. The published resolution (bandwidth 0.1, width 0.5
Mbit/s) is a parameter: it is far too coarse for limits of 0.14 Mbit/s. Delayed throttling (step b) is left to
`find_delay`. Ours is one condition more: positive targets must be slower, for a faster one is not throttled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import signal, stats

from testbed.detectors.tools.ks import SIGNIFICANCE, ks_test, resampling_ratio
from testbed.detectors.tools.samples import slice_speeds
from testbed.detectors.tools.segmentation import around_kernel_mean, changes
from testbed.detectors.tools.subjects import pairs
from testbed.detectors.tools.wehe_family import RATIO, SHORTEST_S, SLICES
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation

__all__ = ["Peak", "PopulationTest", "WehePopulationDetector", "find_delay", "fixed_rates", "is_positive", "rate_peaks"]

MIN_TESTS: Final = 100
MIN_POSITIVES: Final = 10  # a group is skipped if it lacks both; a rate is looked for with more
MIN_SAMPLES: Final = 50  # of a positive test, to have a mean
AREA: Final = 0.1
BANDWIDTH_BPS: Final = 0.1e6
WIDTH_BPS: Final = 0.5e6
KEPT_SHARE: Final = 0.99  # of means, for the grid; the highest are left out
SPIKE_PERCENT: Final = 2  # of the synthetic sample that a peak must exceed
DRAWS: Final = 15  # of that sample; ours: the released code makes one
REACH: Final = 1.5  # of the grid, times half the range of the means
BANDWIDTHS_A_UNIT: Final = 10  # a narrow grid is widened by this on either side, and begins at minus this at most
DIGITS: Final = 2  # to which rates and densities are rounded, in units (Mbit/s where the bandwidth is 0.1 Mbit/s)
MAX_DELAY_SAMPLES: Final = 500
DELAY_PENALTY: Final = 20
MIN_SEGMENT: Final = 2  # this and the next are what ruptures, the library of the released code, has by default
JUMP: Final = 5
_SEED: Final = 20190819


@dataclass(frozen=True, slots=True)
class PopulationTest:
    """One paired test: throughput samples, bits a second, shape (n,) and (m,)."""

    original: NDArray[np.float64]
    control: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Peak:
    """A rate at which transfers crowd, bits a second, and the interval in which they do."""

    rate_bps: float
    low_bps: float
    high_bps: float

    def times(self, unit: float) -> Peak:
        """Return the same peak in other units."""
        return Peak(self.rate_bps * unit, self.low_bps * unit, self.high_bps * unit)


def is_positive(test: PopulationTest, *, tests: int, rng: np.random.Generator) -> bool:
    """Judge one test (step a): stable KS below 0.05 / ``tests`` (Bonferroni), and means that differ by over a tenth."""
    original, control = test.original, test.control
    if not (original > 0).any() or not (control > 0).any():
        return False
    area = abs(control.mean() - original.mean()) / min(original.max(), control.max())
    p, _ = ks_test(original, control)
    if area <= AREA or p >= SIGNIFICANCE / tests:
        return False
    return resampling_ratio(original, control, p=p, rng=rng) > RATIO


def find_delay(samples: NDArray[np.float64]) -> float | None:
    """Return the share of a test before a single fall of its rate (step b), or None.

    Pairs of samples are averaged until at most 500 are left; PELT (rbf, penalty 20) must find exactly one change, and
    KS of both sides must be below 0.05 with a falling mean.
    """
    # PELT with a kernel takes time in the square of the samples
    while len(samples) > MAX_DELAY_SAMPLES:
        samples = samples[: len(samples) // 2 * 2].reshape(-1, 2).mean(axis=1)
    least = 4
    if len(samples) < 2 * least:
        return None
    kernel = around_kernel_mean(samples)
    found = changes(len(samples), kernel, penalty=DELAY_PENALTY, min_size=MIN_SEGMENT, jump=JUMP)
    if len(found) != 1:
        return None
    before, after = samples[: found[0]], samples[found[0] :]
    fell = after.mean() < before.mean() and ks_test(before, after)[0] < SIGNIFICANCE
    return float(found[0] / len(samples)) if fell else None


def rate_peaks(means: NDArray[np.float64], *, bandwidth_bps: float = BANDWIDTH_BPS) -> list[Peak]:
    """Find rates at which means crowd (step e): Gaussian kernels on a grid, above what 2 % at one value would give.

    Args:
        means: Mean rate of each transfer, bits a second, shape (n,).
        bandwidth_bps: Standard deviation of the kernels; the grid is as fine.
    """
    unit = BANDWIDTHS_A_UNIT * bandwidth_bps
    scale = _Scale.of(means / unit)
    return [peak.times(unit) for peak in scale.peaks(means / unit)]


@dataclass(frozen=True, slots=True)
class _Scale:
    """The grid and the density that a peak of a sample must exceed. Rates are in units: ten bandwidths."""

    grid: NDArray[np.float64]
    threshold: float

    @classmethod
    def of(cls, means: NDArray[np.float64]) -> _Scale:
        """Return the scale of a sample: what as many uniform values with 2 % of them at one would give.

        The released code draws them once, and decides otherwise the next time. The median of several draws stands for
        what it decides most often.
        """
        left, right = _range(means)
        average = 1.0 / (right - left)
        rng = np.random.default_rng(_SEED)
        spikes = SPIKE_PERCENT * len(means) // 100
        thresholds = []
        for _ in range(DRAWS):
            drawn = rng.uniform(left, right, len(means) - spikes)
            reference = np.concatenate([drawn, np.full(spikes, (right - left) / 2)])  # the place is the released one
            found = [density for _, density in cls(_grid(*_range(reference)), average).maxima(reference)]
            thresholds.append(round(max(found, default=average), DIGITS))
        return cls(_grid(left, right), float(np.median(thresholds)))

    def maxima(self, means: NDArray[np.float64]) -> list[tuple[int, float]]:
        """Places on the grid of the density's maxima above the threshold, and the density there."""
        density = self.density(means)
        (places,) = signal.argrelextrema(density, np.greater)
        return [(int(place), float(density[place])) for place in places if density[place] > self.threshold]

    def density(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of a sample, at each point of the grid."""
        kernels: NDArray[np.float64] = stats.norm.pdf(
            self.grid[:, None], loc=means[None, :], scale=1 / BANDWIDTHS_A_UNIT
        ).mean(axis=1)
        return kernels

    def peaks(self, means: NDArray[np.float64], *, width: float = WIDTH_BPS / BANDWIDTH_BPS / 10) -> list[Peak]:
        """Return the peaks of a sample; each with the interval above the threshold, at least ``width`` wide.

        Peaks whose intervals touch are one, at the higher of them.
        """
        above = self.density(means) > self.threshold
        spans: list[tuple[int, int, int, float]] = []
        for place, density in self.maxima(means):
            low = int(np.flatnonzero(~above[:place])[-1]) if not above[:place].all() else 0
            beyond = np.flatnonzero(~above[place:])
            high = place + int(beyond[0]) if len(beyond) else len(self.grid) - 1
            if spans and spans[-1][2] >= low:
                before = spans.pop()
                highest = max((before[3], before[1]), (density, place))
                spans.append((min(before[0], low), highest[1], max(before[2], high), highest[0]))
            else:
                spans.append((low, place, high, density))
        return [self._peak(low, place, high, width) for low, place, high, _ in spans]

    def _peak(self, low: int, place: int, high: int, width: float) -> Peak:
        first, last = round(float(self.grid[low]), DIGITS), round(float(self.grid[high]), DIGITS)
        missing = max(0.0, width - (last - first)) / 2
        return Peak(round(float(self.grid[place]), DIGITS), first - missing, last + missing)


def _range(means: NDArray[np.float64]) -> tuple[float, float]:
    kept = np.sort(means)[: max(1, int(KEPT_SHARE * len(means)))]
    middle = float(kept[-1] + kept[0]) / 2
    reach = (float(kept[-1]) - middle) * REACH
    if 2 * reach < 1:
        reach += 1
    return max(middle - reach, -1.0), middle + reach


def _grid(left: float, right: float) -> NDArray[np.float64]:
    grid: NDArray[np.float64] = np.arange(left, right, 1 / BANDWIDTHS_A_UNIT)
    return grid


def fixed_rates(
    originals: NDArray[np.float64],
    controls: NDArray[np.float64],
    positive: NDArray[np.bool_],
    *,
    bandwidth_bps: float = BANDWIDTH_BPS,
    width_bps: float = WIDTH_BPS,
) -> list[Peak]:
    """Return peaks of the originals that controls lack and that positive tests show too (step e).

    Controls are looked at on the originals' grid, with the originals' threshold; a peak is discarded where it lies
    within one of theirs. Each peak has the interval of the positive tests' peak that holds it.
    """
    if not positive.any():
        return []
    unit = BANDWIDTHS_A_UNIT * bandwidth_bps
    width = width_bps / unit
    everywhere = _unique_peaks(originals / unit, controls / unit, width)
    among_positives = _unique_peaks(originals[positive] / unit, controls[positive] / unit, width)
    return [
        Peak(peak.rate_bps, holder.low_bps, holder.high_bps).times(unit)
        for peak in everywhere
        for holder in among_positives
        if holder.low_bps < peak.rate_bps < holder.high_bps
    ]


def _unique_peaks(originals: NDArray[np.float64], controls: NDArray[np.float64], width: float) -> list[Peak]:
    scale = _Scale.of(originals)
    theirs = scale.peaks(controls, width=width)
    return [
        peak
        for peak in scale.peaks(originals, width=width)
        if not any(other.low_bps < peak.rate_bps < other.high_bps for other in theirs)
    ]


@dataclass(frozen=True)
class WehePopulationDetector:
    """Judge all pairs of an observation as tests of one network, application and period.

    Attributes:
        bandwidth_bps: Resolution of rates; published: 0.1 Mbit/s.
        width_bps: Least width of a fixed rate's interval; published: 0.5 Mbit/s.
    """

    name: str = "wehe-population"
    summary: str = "many paired tests, fixed rates (Li et al., SIGCOMM 2019)"
    bandwidth_bps: float = BANDWIDTH_BPS
    width_bps: float = WIDTH_BPS

    def detect(self, observation: Observation) -> Verdict:
        """Judge the population: enough positives, all tests together differ, and they crowd at a rate."""
        tests = _tests(observation)
        if not tests:
            return inconclusive(self.name, "the rule needs many pairs of a target and a control that moved data")
        if len(tests) <= MIN_POSITIVES:
            return inconclusive(self.name, f"{len(tests)} test(s); more than {MIN_POSITIVES} positive ones needed")
        rng = np.random.default_rng(_SEED)  # one for all tests, in their order: the same population, the same answer
        positive = np.array([is_positive(test, tests=len(tests), rng=rng) for test in tests])
        hits = int(positive.sum())
        if len(tests) < MIN_TESTS and hits < MIN_POSITIVES:
            why = f"{len(tests)} tests, {hits} positive; at least {MIN_TESTS} tests or {MIN_POSITIVES} positives needed"
            return inconclusive(self.name, why)
        return self._judge(tests, positive, rng)

    def _judge(self, tests: list[PopulationTest], positive: NDArray[np.bool_], rng: np.random.Generator) -> Verdict:
        """Judge tests of which these are positive."""
        hits = int(positive.sum())
        # A positive test of few samples has a mean that says little, and a rate is looked for among the means.
        used = ~positive | np.array([len(test.original) >= MIN_SAMPLES for test in tests])
        originals = np.array([test.original.mean() for test in tests])[used]
        controls = np.array([test.control.mean() for test in tests])[used]
        positive = positive[used]
        p, _ = ks_test(originals, controls)
        ratio = resampling_ratio(originals, controls, p=p, rng=rng)
        differs = positive.sum() > MIN_POSITIVES and p < SIGNIFICANCE and ratio > RATIO
        slower = bool(np.median(originals[positive]) < np.median(controls[positive])) if positive.any() else False
        peaks = (
            fixed_rates(originals, controls, positive, bandwidth_bps=self.bandwidth_bps, width_bps=self.width_bps)
            if differs
            else []
        )
        at_peak = [any(peak.low_bps <= mean <= peak.high_bps for peak in peaks) for mean in originals[positive]]
        throttled = bool(peaks) and slower
        rates = ", ".join(f"{peak.rate_bps / 1e3:.0f}" for peak in peaks) or "none"
        return Verdict(
            detector=self.name,
            version="2",
            outcome=Outcome.THROTTLED if throttled else Outcome.NOT_THROTTLED,
            why=f"{hits} of {len(tests)} tests positive, {sum(at_peak)} of them at a fixed rate (kbit/s: {rates})",
            score=hits / len(tests),
            rate_bps=peaks[0].rate_bps if throttled else None,
            content_specific=True if throttled else None,
            details={"ks_p": p, "accept_ratio": ratio, "rates_bps": [peak.rate_bps for peak in peaks]},
        )


def _tests(observation: Observation) -> list[PopulationTest]:
    """Return the pairs of an observation in which both moved data, in slices of a hundredth of the control's time."""
    tests = []
    for target, control in pairs(observation):
        if control.duration_s >= SHORTEST_S:
            width_s = control.duration_s / SLICES
            tests.append(PopulationTest(*(slice_speeds(item, width_s=width_s) for item in (target, control))))
    return [test for test in tests if (test.original > 0).any() and (test.control > 0).any()]
