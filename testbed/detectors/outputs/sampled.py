"""When a measurement client looks at its byte counter, and what it finds there.

The intervals are drawn from an exponential distribution and clamped, as ndt-server does (its ``spec`` package:
25, 250 and 625 ms), so that they fall into step with nothing. OONI's Web Connectivity samples the same way (dd-007).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from testbed.detectors.observation import Transfer

__all__ = ["LONGEST_S", "bytes_at", "samples"]

_LEAST_S: Final = 0.025
_MEAN_S: Final = 0.25
_MOST_S: Final = 0.625
LONGEST_S: Final = 10.0
"""How long ndt7 measures, and how long OONI waits for a handshake and then for a page."""


def samples(transfer: Transfer, *, begin_s: float, end_s: float, lot: str) -> list[tuple[float, int]]:
    """Return when the counter was read, seconds since the start of the transfer, and how many bytes there were.

    Args:
        transfer: Whose timeline it is.
        begin_s: From when on it was read.
        end_s: Until when; the last sample is then.
        lot: From which the intervals are drawn.
    """
    # Each transfer has a lot of its own: with one for all, samples of two transfers would fall on the same instants.
    drawn = random.Random(lot)  # noqa: S311 - no secret
    found = []
    now = begin_s
    while now < end_s:
        now = min(end_s, now + min(_MOST_S, max(_LEAST_S, drawn.expovariate(1 / _MEAN_S))))
        found.append((now, bytes_at(transfer, now)))
    return found


def bytes_at(transfer: Transfer, instant_s: float) -> int:
    """Return how many bytes had come by an instant."""
    known = int(np.searchsorted(transfer.times_s, instant_s, side="right"))
    return int(transfer.bytes[known - 1]) if known else 0
