"""A token bucket that charges dropped packets too, down to a debt: who goes on sending waits longer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.meters.meter import MeterSpec, Policer
from testbed.middlebox.written import Bytes, TcRate

if TYPE_CHECKING:
    from testbed.middlebox.meters.meter import Beginning

__all__ = ["DebtBucket", "DebtBucketSpec"]

_BITS_NS = 8_000_000_000  # bits a byte, times nanoseconds a second


class DebtBucket(Policer):
    """It starts full and refills continuously. A packet passes if all of it is there, and is charged in any case."""

    __slots__ = ("_burst", "_debt", "_last_ns", "_rate_bps", "_tokens")

    def __init__(self, *, rate_bps: int, burst_bytes: int, debt_bytes: int, start_ns: int = 0) -> None:
        """Fill the bucket."""
        self._rate_bps = rate_bps
        # In units of which one bit a second brings one in a nanosecond: whole numbers, and nothing is lost in division.
        self._burst = self._tokens = burst_bytes * _BITS_NS
        self._debt = debt_bytes * _BITS_NS
        self._last_ns = start_ns

    def conforms(self, length: int, now_ns: int) -> bool:
        """Return whether a packet of ``length`` bytes may pass now."""
        tokens = min(self._tokens + (now_ns - self._last_ns) * self._rate_bps, self._burst)
        self._last_ns = now_ns
        cost = length * _BITS_NS
        self._tokens = max(tokens - cost, -self._debt) if tokens < cost else tokens - cost
        return tokens >= cost


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtBucketSpec(MeterSpec):
    """A bucket with debt as a profile describes it."""

    kind = "debt_bucket"
    limits = "rate"

    rate_bps: TcRate
    burst_bytes: Bytes
    debt_bytes: Bytes

    @property
    def long_run_bps(self) -> float:
        """Its rate, of a sender that pauses; one that goes on is let starve."""
        return float(self.rate_bps)

    def start(self, beginning: Beginning) -> DebtBucket:
        """Return a full bucket."""
        return DebtBucket(
            rate_bps=self.rate_bps,
            burst_bytes=self.burst_bytes,
            debt_bytes=self.debt_bytes,
            start_ns=beginning.matched_ns,
        )
