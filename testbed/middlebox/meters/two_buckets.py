"""Two token buckets in a row, as two policers behind each other: the first is charged for what the second drops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.meters.kernel_rate import burst_problem
from testbed.middlebox.meters.meter import MeterSpec, Policer
from testbed.middlebox.meters.token_bucket import TokenBucket
from testbed.middlebox.written import Bytes, TcRate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.middlebox.described import Problem
    from testbed.middlebox.meters.meter import Beginning
    from testbed.middlebox.profile.metering import MeterChoice

__all__ = ["TwoBuckets", "TwoBucketsSpec"]


class TwoBuckets(Policer):
    """A packet passes if it passes both."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: TokenBucket, second: TokenBucket) -> None:
        """Two buckets, in the order in which packets meet them."""
        self._first = first
        self._second = second

    def conforms(self, length: int, now_ns: int) -> bool:
        """Return whether a packet of ``length`` bytes may pass now."""
        # The first is asked, and charged, whatever the second will say: it cannot know.
        return self._first.conforms(length, now_ns) and self._second.conforms(length, now_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoBucketsSpec(MeterSpec):
    """Two buckets as a profile describes them."""

    kind = "two_buckets"
    limits = "rate"

    first_rate_bps: TcRate
    first_burst_bytes: Bytes
    rate_bps: TcRate
    burst_bytes: Bytes

    @property
    def long_run_bps(self) -> float:
        """That of the narrower bucket."""
        return float(min(self.first_rate_bps, self.rate_bps))

    def start(self, beginning: Beginning) -> TwoBuckets:
        """Return two full buckets."""
        del beginning
        first = TokenBucket(self.first_rate_bps, self.first_burst_bytes)
        return TwoBuckets(first, TokenBucket(self.rate_bps, self.burst_bytes))

    def problems(self, choice: MeterChoice) -> Iterator[Problem]:
        """Refuse a burst that the kernel's arithmetic cannot hold."""
        del choice
        for key, rate_bps, burst_bytes in (
            ("first_burst", self.first_rate_bps, self.first_burst_bytes), ("burst", self.rate_bps, self.burst_bytes),
        ):  # fmt: skip
            problem = burst_problem(rate_bps, burst_bytes)
            if problem is not None:
                yield f"{self.kind}.{key}", problem
