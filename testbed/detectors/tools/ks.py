"""Two-sample Kolmogorov-Smirnov tests, once and under resampling."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SIGNIFICANCE", "ks_test", "resampling_ratio"]

SIGNIFICANCE: Final = 0.05
JACKKNIFE_ROUNDS: Final = 100


def ks_test(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
    """Return p value and statistic of the two-sided test; shapes (n,) and (m,), neither empty."""
    with warnings.catch_warnings():
        # with many ties scipy warns that it falls back to the asymptotic distribution, which is what is wanted
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ks_2samp(first, second)
    return float(test.pvalue), float(test.statistic)


def resampling_ratio(
    first: NDArray[np.float64], second: NDArray[np.float64], *, p: float, rng: np.random.Generator
) -> float:
    """Return how stable a test is: the share of half samples whose p lies on the same side of 0.05 as ``p``.

    The jackknife of NetPolice (Zhang, Mao & Zhang, IMC 2009) as Wehe's server runs it: 100 rounds, half of each list
    without replacement. The p values are asymptotic.
    """
    halves = len(first) // 2, len(second) // 2
    if min(halves) == 0:
        return 0.0
    # Not scipy's test of each half: of each no more than the distance is needed, and all p values come at once.
    distances = np.empty(JACKKNIFE_ROUNDS)
    for place in range(JACKKNIFE_ROUNDS):
        left = np.sort(rng.choice(first, halves[0], replace=False))
        right = np.sort(rng.choice(second, halves[1], replace=False))
        grid = np.concatenate([left, right])
        gap = np.searchsorted(left, grid, "right") / halves[0] - np.searchsorted(right, grid, "right") / halves[1]
        distances[place] = np.abs(gap).max()
    effective = max(1, round(halves[0] * halves[1] / (halves[0] + halves[1])))
    significant = stats.kstwo.sf(distances, effective) < SIGNIFICANCE
    return float(np.mean(significant == (p < SIGNIFICANCE)))
