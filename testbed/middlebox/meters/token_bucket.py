"""The policer of Linux `tc police`, to the nanosecond (net/sched/act_police.c and sch_generic.c of 6.12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from testbed.middlebox.meters.kernel_rate import burst_problem, kernel_rate
from testbed.middlebox.meters.meter import MeterSpec, Policer
from testbed.middlebox.written import Bytes, TcRate, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.middlebox.described import Problem
    from testbed.middlebox.meters.meter import Beginning
    from testbed.middlebox.profile.metering import MeterChoice

__all__ = ["TokenBucket", "TokenBucketSpec"]


class TokenBucket(Policer):
    """A bucket of nanoseconds of sending time.

    It starts full and refills continuously; a packet conforms when enough tokens are left for all of it, and costs
    nothing when it does not.
    """

    __slots__ = ("_burst_ns", "_last_ns", "_mult", "_shift", "_tokens_ns", "burst_ticks")

    def __init__(self, rate_bps: int, burst_bytes: int, *, start_bytes: int | None = None, start_ns: int = 0) -> None:
        """Fill the bucket.

        Args:
            rate_bps: Bits per second, a multiple of 8 (tc counts bytes per second).
            burst_bytes: Depth of the bucket.
            start_bytes: What is in it at ``start_ns``; None: it is full whenever the first packet comes.
            start_ns: When.

        Raises:
            ValueError: A rate that tc cannot hold.
        """
        rate = kernel_rate(rate_bps, burst_bytes)
        self._mult, self._shift, self.burst_ticks = rate
        self._burst_ns = self._tokens_ns = rate.burst_ns
        self._last_ns = 0
        if start_bytes is not None:
            self._tokens_ns = min(start_bytes * self._mult >> self._shift, self._burst_ns)
            self._last_ns = start_ns

    def conforms(self, length: int, now_ns: int) -> bool:
        """Return whether a packet of ``length`` bytes may pass now; it is charged only if so."""
        burst = self._burst_ns
        # The kernel bounds the time that has passed before it adds the tokens, and the sum afterwards.
        tokens = min(self._tokens_ns + min(now_ns - self._last_ns, burst), burst)
        tokens -= length * self._mult >> self._shift
        if tokens < 0:
            return False
        # Only now: the kernel keeps the old time for a packet over the limit, and refills from there again.
        self._last_ns = now_ns
        self._tokens_ns = tokens
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBucketSpec(MeterSpec):
    """A token bucket as a profile describes it. ``start_bytes`` is None where it starts full, as that of tc does."""

    kind = "token_bucket"
    limits = "rate"

    rate_bps: TcRate
    burst_bytes: Bytes
    start_bytes: Annotated[int, size(0)] | None = None

    @property
    def long_run_bps(self) -> float:
        """Its rate."""
        return float(self.rate_bps)

    def start(self, beginning: Beginning) -> TokenBucket:
        """Return a bucket as it is when throttling begins."""
        return TokenBucket(self.rate_bps, self.burst_bytes, start_bytes=self.start_bytes, start_ns=beginning.matched_ns)

    def kernel_policer(self) -> TokenBucketSpec | None:
        """Itself, unless it starts with less than it holds: tc's is full when it is made."""
        return self if self.start_bytes is None else None

    def problems(self, choice: MeterChoice) -> Iterator[Problem]:
        """Refuse a burst that the kernel cannot hold, a start above it, and what the kernel cannot count."""
        problem = burst_problem(self.rate_bps, self.burst_bytes)
        if problem is not None:
            yield f"{self.kind}.burst", problem
        if self.start_bytes is not None and self.start_bytes > self.burst_bytes:
            yield f"{self.kind}.start", f"{self.start_bytes} B is more than the burst of {self.burst_bytes} B"
        if choice.kind == self.kind and choice.counts != "ip_length":
            yield "counts", f"tc police at ingress counts the IP length, not {choice.counts}; write ip_length"
