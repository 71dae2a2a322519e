"""How much may pass, and when: pure models of policers. Told a packet's length and the time, each says yes or no.

Integer nanoseconds and bytes throughout, so that the kernel, this model and a replay from a capture agree on every
packet. Times must not run backwards. Not for: deciding which packets are metered; shapers (`shaper`), which delay.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from random import Random

    from testbed.middlebox.events import Effect

__all__ = [
    "ByteQuota",
    "ByteQuotaSpec",
    "CoarseRefill",
    "CoarseRefillSpec",
    "Meter",
    "RandomPass",
    "RandomPassSpec",
    "TokenBucket",
    "TokenBucketSpec",
    "reciprocal",
]

_NS_PER_S = 1_000_000_000
_NS_PER_TICK = 64  # PSCHED_SHIFT is 6: tc speaks in ticks of 64 ns


class Meter(Protocol):
    """One direction of one flow (or of one subscriber)."""

    def conforms(self, length: int, now_ns: int) -> bool:
        """Whether a packet of ``length`` bytes (IP total length) may pass now; it is charged only if so."""
        ...


class TokenBucket:
    """The policer of Linux `tc police`, to the nanosecond (net/sched/act_police.c and sch_generic.c of 6.12).

    Tokens are nanoseconds of sending time. The bucket starts full and refills continuously; a packet conforms when
    enough tokens are left for all of it, and costs nothing when it does not.
    """

    __slots__ = ("_burst_ns", "_last_ns", "_mult", "_shift", "_tokens_ns", "burst_ticks")

    def __init__(self, rate_bps: int, burst_bytes: int, *, start_bytes: int | None = None, start_ns: int = 0) -> None:
        """Fill the bucket.

        Args:
            rate_bps: bits per second, a multiple of 8 (tc counts bytes per second).
            burst_bytes: depth of the bucket.
            start_bytes: what is in it at ``start_ns``; None: it is full whenever the first packet comes.
            start_ns: when.

        Raises:
            ValueError: a rate that tc cannot hold.
        """
        if rate_bps <= 0 or rate_bps % 8:
            raise ValueError(f"rate_bps {rate_bps}: expected a positive multiple of 8, as tc counts bytes per second")
        rate = rate_bps // 8
        self._mult, self._shift = reciprocal(rate)
        # As tc does it: bytes to ticks, rounded up. To get the same bucket, give the kernel this number.
        self.burst_ticks = -(-burst_bytes * _NS_PER_S // (rate * _NS_PER_TICK))
        self._burst_ns = self.burst_ticks * _NS_PER_TICK
        self._tokens_ns = self._burst_ns
        self._last_ns = 0
        if start_bytes is not None:
            self._tokens_ns = min(start_bytes * self._mult >> self._shift, self._burst_ns)
            self._last_ns = start_ns

    def conforms(self, length: int, now_ns: int) -> bool:
        """Whether a packet of ``length`` bytes may pass now; it is charged only if so."""
        burst = self._burst_ns
        tokens = min(self._tokens_ns + min(now_ns - self._last_ns, burst), burst)
        tokens -= length * self._mult >> self._shift
        if tokens < 0:
            return False
        self._last_ns = now_ns
        self._tokens_ns = tokens
        return True


def reciprocal(rate: int) -> tuple[int, int]:
    """The kernel's `psched_ratecfg_precompute__`: (mult, shift) such that ns = length * mult >> shift.

    Args:
        rate: bytes per second.
    """
    factor = _NS_PER_S
    shift = 0
    while True:
        mult = factor // rate & 0xFFFFFFFF
        if mult & 1 << 31 or factor & 1 << 63:
            return mult, shift
        factor <<= 1
        shift += 1


class CoarseRefill:
    """A bucket that is topped up in large steps: the better fit to X21 Fig. 5, where a flow starves for about a second.

    It starts full (at the cap). Every period a quantum of bytes is added, up to the cap.
    """

    __slots__ = ("_cap", "_level", "_next_ns", "_period_ns", "_quantum")

    def __init__(
        self, *, quantum_bytes: int, period_s: float, cap_bytes: int, phase_s: float = 0.0, opened_ns: int = 0
    ) -> None:
        """Fill the bucket; the first refill comes one period and ``phase_s`` after ``opened_ns``."""
        self._quantum = quantum_bytes
        self._cap = cap_bytes
        self._level = cap_bytes
        self._period_ns = round(period_s * _NS_PER_S)
        self._next_ns = opened_ns + self._period_ns + round(phase_s * _NS_PER_S)

    def conforms(self, length: int, now_ns: int) -> bool:
        """Whether a packet of ``length`` bytes may pass now; it is charged only if so."""
        if now_ns >= self._next_ns:
            refills = (now_ns - self._next_ns) // self._period_ns + 1
            self._next_ns += refills * self._period_ns
            self._level = min(self._level + refills * self._quantum, self._cap)
        if length > self._level:
            return False
        self._level -= length
        return True


class RandomPass:
    """Each packet passes with a fixed probability: "protocol capacity" of ECO26, noticeable at 2-10 percent."""

    __slots__ = ("_random", "_share")

    def __init__(self, *, pass_share: float, random: Random) -> None:
        """Draw from ``random``, one number a packet."""
        self._share = pass_share
        self._random = random

    def conforms(self, length: int, now_ns: int) -> bool:  # noqa: ARG002 - chance knows neither
        """Whether a packet may pass."""
        return self._random.random() < self._share


class ByteQuota:
    """The first so many bytes pass, then nothing: the freeze of 2025, which is no rate limit."""

    __slots__ = ("_left",)

    def __init__(self, quota_bytes: int) -> None:
        """Allow ``quota_bytes``."""
        self._left = quota_bytes

    def conforms(self, length: int, now_ns: int) -> bool:  # noqa: ARG002 - a quota has no time
        """Whether a packet may pass. From the first that exceeds the quota on, only empty ones do."""
        if length > self._left:
            self._left = 0
            return not length
        self._left -= length
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBucketSpec:
    """A token bucket as a profile describes it. ``start_bytes`` is None where it starts full, as that of tc does."""

    rate_bps: int
    burst_bytes: int
    start_bytes: int | None = None
    kind = "token_bucket"
    effect: ClassVar[Effect] = "slows"

    def start(
        self,
        opened_ns: int = 0,  # noqa: ARG002 - a bucket does not care when its flow began
        random: Random | None = None,  # noqa: ARG002 - nor for chance
        *,
        matched_ns: int = 0,
    ) -> TokenBucket:
        """A bucket as it is when throttling begins."""
        return TokenBucket(self.rate_bps, self.burst_bytes, start_bytes=self.start_bytes, start_ns=matched_ns)

    def parameters(self) -> dict[str, float]:
        """The parameters by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseRefillSpec:
    """A coarsely refilled bucket as a profile describes it."""

    quantum_bytes: int
    period_s: float
    cap_bytes: int
    phase_s: float
    kind = "coarse_refill"
    effect: ClassVar[Effect] = "slows"

    def start(
        self,
        opened_ns: int,
        random: Random | None = None,  # noqa: ARG002 - no chance in it
        *,
        matched_ns: int = 0,  # noqa: ARG002 - refills count from the opening
    ) -> CoarseRefill:
        """A full bucket whose refills are counted from the opening of the flow."""
        return CoarseRefill(
            quantum_bytes=self.quantum_bytes,
            period_s=self.period_s,
            cap_bytes=self.cap_bytes,
            phase_s=self.phase_s,
            opened_ns=opened_ns,
        )

    def parameters(self) -> dict[str, float]:
        """The parameters by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomPassSpec:
    """A random pass as a profile describes it."""

    pass_share: float
    kind = "random_pass"

    @property
    def effect(self) -> Effect:
        """What it means for a flow: one of which nothing passes is over."""
        return "slows" if self.pass_share else "ends"

    def start(
        self,
        opened_ns: int,  # noqa: ARG002 - chance has no past
        random: Random,
        *,
        matched_ns: int = 0,  # noqa: ARG002
    ) -> RandomPass:
        """A meter that draws from the box's generator."""
        return RandomPass(pass_share=self.pass_share, random=random)

    def parameters(self) -> dict[str, float]:
        """The parameters by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteQuotaSpec:
    """A byte quota as a profile describes it."""

    quota_bytes: int
    kind = "byte_quota"
    effect: ClassVar[Effect] = "ends"  # once it is used up nothing passes: the freeze of 2025 (CF25, N4P490)

    def start(
        self,
        opened_ns: int = 0,  # noqa: ARG002 - a quota has no time
        random: Random | None = None,  # noqa: ARG002
        *,
        matched_ns: int = 0,  # noqa: ARG002
    ) -> ByteQuota:
        """A fresh quota."""
        return ByteQuota(self.quota_bytes)

    def parameters(self) -> dict[str, float]:
        """The parameters by name."""
        return asdict(self)
