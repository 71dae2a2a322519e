"""How Linux counts time and bytes of a rate: the arithmetic that tc's policer and its shapers share."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KernelRate", "burst_problem", "kernel_rate"]

_NS_PER_S = 1_000_000_000
_NS_PER_TICK = 64  # PSCHED_SHIFT is 6: tc speaks in ticks of 64 ns
_MOST_TICKS = (1 << 32) - 1  # tc tells the kernel a burst as the time that it takes, in 32 bits


class KernelRate(NamedTuple):
    """A bucket's rate and depth as the kernel has them.

    Attributes:
        mult: With ``shift``, nanoseconds of a packet: ``length * mult >> shift``.
        shift: See there.
        burst_ticks: The depth. To get the same bucket, give the kernel this number.
    """

    mult: int
    shift: int
    burst_ticks: int

    @property
    def burst_ns(self) -> int:
        """The depth as a time."""
        return self.burst_ticks * _NS_PER_TICK


def kernel_rate(rate_bps: int, burst_bytes: int) -> KernelRate:
    """Return what the kernel makes of a rate and a burst.

    Args:
        rate_bps: Bits per second, a multiple of 8 (tc counts bytes per second).
        burst_bytes: Depth of the bucket.

    Raises:
        ValueError: A rate that tc cannot hold.
    """
    if rate_bps <= 0 or rate_bps % 8:
        raise ValueError(f"rate_bps {rate_bps}: expected a positive multiple of 8, as tc counts bytes per second")
    rate = rate_bps // 8
    # As tc does it: bytes to ticks, rounded up.
    return KernelRate(*_reciprocal(rate), -(-burst_bytes * _NS_PER_S // (rate * _NS_PER_TICK)))


def burst_problem(rate_bps: int, burst_bytes: int) -> str | None:
    """Return why the kernel cannot hold a burst; None: it can."""
    if kernel_rate(rate_bps, burst_bytes).burst_ticks <= _MOST_TICKS:
        return None
    longest = rate_bps // 8 * _MOST_TICKS * _NS_PER_TICK // _NS_PER_S
    return f"{burst_bytes} B is too large for tc at {rate_bps} bit/s; expected {longest} B or less"


def _reciprocal(rate: int) -> tuple[int, int]:
    """Return the kernel's `psched_ratecfg_precompute__` (net/sched/sch_generic.c) for ``rate`` bytes per second.

    Returns:
        (mult, shift) such that ns = length * mult >> shift. It shifts until the factor fills 32 bits, so that the
        product with a length still fits into 64.
    """
    factor = _NS_PER_S
    shift = 0
    while True:
        mult = factor // rate & 0xFFFFFFFF
        if mult & 1 << 31 or factor & 1 << 63:
            return mult, shift
        factor <<= 1
        shift += 1
