"""Where a series changes: the division with the least cost within its segments and a penalty for each of them.

Found exactly, by dynamic programming over where segments may end (Jackson et al., "An Algorithm for Optimal
Partitioning of Data on an Interval", IEEE SPL 2005). PELT (Killick et al., JASA 2012) finds the same and looks at fewer
divisions, which pays from some thousand values on; series here have hundreds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial.distance import pdist, squareform

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Within", "around_kernel_mean", "around_mean", "changes"]

Within = Callable[["NDArray[np.intp]", int], "NDArray[np.float64]"]
"""The cost of the segments that begin at each of some places and end before one."""

_LEAST_DISTANCE: Final = 1e-2  # as the library ruptures has it, which wehe's released analysis uses
_LARGEST_DISTANCE: Final = 1e2


def changes(n: int, within: Within, *, penalty: float, min_size: int, jump: int = 1) -> list[int]:
    """Return where new segments begin, in order.

    Args:
        n: How many values there are, at least `min_size`.
        within: What a segment costs.
        penalty: What each segment costs besides.
        min_size: Of a segment, in values.
        jump: A segment begins at a multiple of this only.
    """
    begins = np.array([0, *range(max(jump, -(-min_size // jump) * jump), n, jump)])
    least = np.full(n + 1, np.inf)
    least[0] = 0.0
    previous = np.zeros(n + 1, dtype=np.intp)
    for end in [*begins[1:], n]:
        possible = begins[begins <= end - min_size]
        costs = least[possible] + within(possible, end) + penalty
        best = int(np.argmin(costs))
        least[end], previous[end] = costs[best], possible[best]
    found: list[int] = []
    begin = int(previous[n])
    while begin:
        found.insert(0, begin)
        begin = int(previous[begin])
    return found


def around_mean(values: NDArray[np.float64]) -> Within:
    """Return what segments cost whose mean changes: squares of the distances to it.

    Args:
        values: The series, shape (n,).
    """
    # Sums of what lies near zero keep their digits.
    centred = values - values.mean()
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    squares = np.concatenate([[0.0], np.cumsum(centred**2)])

    def cost(begins: NDArray[np.intp], end: int) -> NDArray[np.float64]:
        found: NDArray[np.float64] = squares[end] - squares[begins] - (sums[end] - sums[begins]) ** 2 / (end - begins)
        return found

    return cost


def around_kernel_mean(values: NDArray[np.float64]) -> Within:
    """Return what segments cost whose distribution changes: distances to the mean in a Gaussian kernel's space.

    The kernel is as wide as half the median square of two values' distance, or one where that is zero.

    Args:
        values: The series, shape (n,).
    """
    squares = pdist(values[:, None], "sqeuclidean")
    median = float(np.median(squares))
    distances = np.clip(squares / (median or 1.0), _LEAST_DISTANCE, _LARGEST_DISTANCE)
    sums = np.zeros((len(values) + 1, len(values) + 1))
    sums[1:, 1:] = np.exp(-squareform(distances)).cumsum(axis=0).cumsum(axis=1)

    def cost(begins: NDArray[np.intp], end: int) -> NDArray[np.float64]:
        alike = sums[end, end] - sums[begins, end] - sums[end, begins] + sums[begins, begins]
        found: NDArray[np.float64] = (end - begins) - alike / (end - begins)
        return found

    return cost
