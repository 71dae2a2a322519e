"""Throughput samples of a transfer: its timeline cut into slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.observation import Transfer

__all__ = ["arrivals", "slice_bytes", "slice_speeds"]

MAX_SLICES = 1_000_000  # more would fill memory and tell no more


def arrivals(transfer: Transfer) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the times (s) at which bytes arrived and how many did, float64 and int64, shape (n,)."""
    return transfer.times_s, np.diff(transfer.bytes, prepend=0)


def slice_bytes(transfer: Transfer, *, width_s: float, until_s: float | None = None) -> NDArray[np.float64]:
    """Return the bytes that arrived in each slice from the start of the transfer, empty slices included.

    Args:
        transfer: With a timeline.
        width_s: Length of a slice, seconds.
        until_s: Where to stop; the last arrival by default. A last partial slice is left out, and so is what comes
            after `MAX_SLICES`.

    Returns:
        float64, shape (number of whole slices,).

    Raises:
        ValueError: The slices have no length.
    """
    end = transfer.duration_s if until_s is None else min(until_s, transfer.duration_s)
    if not width_s > 0:
        raise ValueError(f"slices of {width_s} s")
    # a billionth of a slice: three slices of 0.1 s end at 0.30000000000000004 s, and are three
    count = int(min(end / width_s + 1e-9, MAX_SLICES))
    times, sizes = arrivals(transfer)
    place = np.minimum(times / width_s, count).astype(np.int64)  # all that comes later is put into one more slice
    return np.bincount(place, weights=sizes, minlength=count + 1)[:count].astype(np.float64)


def slice_speeds(transfer: Transfer, *, width_s: float, until_s: float | None = None) -> NDArray[np.float64]:
    """Return the speed in each slice, bits a second; see `slice_bytes`."""
    return slice_bytes(transfer, width_s=width_s, until_s=until_s) * 8 / width_s
