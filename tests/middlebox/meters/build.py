"""What the meters' tests share: arrivals, and the beginning of a flow."""

from __future__ import annotations

from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from testbed.middlebox.meters import Beginning

if TYPE_CHECKING:
    from testbed.middlebox.meters.meter import Policer

__all__ = ["NS_PER_S", "arrivals", "at_times", "beginning", "conforming_bytes"]

NS_PER_S = 1_000_000_000

arrivals = st.lists(
    st.tuples(st.integers(0, 400_000_000), st.integers(40, 1500)), max_size=80
)  # gap before the packet in ns, length in bytes


def at_times(packets: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Gaps to times."""
    times = accumulate(gap for gap, _ in packets)
    return [(now, length) for now, (_, length) in zip(times, packets, strict=True)]


def conforming_bytes(meter: Policer, *, offered_bps: int, length: int, seconds: int) -> int:
    gap = length * 8 * NS_PER_S // offered_bps
    return sum(length for now in range(0, seconds * NS_PER_S, gap) if meter.conforms(length, now))


def beginning(opened_ns: int = 0, matched_ns: int = 0, seed: int = 7) -> Beginning:
    """When a flow was opened and matched, and a generator of its own."""
    return Beginning(opened_ns, matched_ns, Random(seed))  # noqa: S311 - reproducible, not secret
