"""A bucket that is topped up in large steps: the better fit to X21 Fig. 5, where a flow starves for about a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from testbed.middlebox.meters.meter import MeterSpec, Policer
from testbed.middlebox.written import Bytes, Seconds
from testbed.quantities import Written, parse_duration, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.middlebox.described import Problem
    from testbed.middlebox.meters.meter import Beginning
    from testbed.middlebox.profile.metering import MeterChoice

__all__ = ["CoarseRefill", "CoarseRefillSpec"]

_NS_PER_S = 1_000_000_000
_BITS = 8


class CoarseRefill(Policer):
    """It starts full (at the cap). Every period a quantum of bytes is added, up to the cap."""

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
        """Return whether a packet of ``length`` bytes may pass now; it is charged only if so."""
        if now_ns >= self._next_ns:
            # All refills since the last packet at once: a flow may have been idle for hours.
            refills = (now_ns - self._next_ns) // self._period_ns + 1
            self._next_ns += refills * self._period_ns
            self._level = min(self._level + refills * self._quantum, self._cap)
        if length > self._level:
            return False
        self._level -= length
        return True


def _read_phase(written: object) -> float:
    """Return a duration that may be negative: the first refill may come early."""
    if isinstance(written, str) and written.lstrip().startswith("-"):
        return -parse_duration(written.lstrip().removeprefix("-"))
    if isinstance(written, int) and not isinstance(written, bool) and written < 0:
        raise ValueError(f"expected a duration such as '-95 ms', got {shown(written)}: the unit is missing")
    return parse_duration(written)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoarseRefillSpec(MeterSpec):
    """A coarsely refilled bucket as a profile describes it."""

    kind = "coarse_refill"
    limits = "rate"

    quantum_bytes: Bytes
    period_s: Seconds
    cap_bytes: Bytes
    phase_s: Annotated[
        float,
        Written(_read_phase, {"type": ["string", "integer"], "description": "a duration, such as -95 ms; or 0"}),
    ]

    @property
    def long_run_bps(self) -> float:
        """A quantum a period."""
        return self.quantum_bytes * _BITS / self.period_s

    def start(self, beginning: Beginning) -> CoarseRefill:
        """Return a full bucket whose refills are counted from the opening of the flow."""
        return CoarseRefill(
            quantum_bytes=self.quantum_bytes,
            period_s=self.period_s,
            cap_bytes=self.cap_bytes,
            phase_s=self.phase_s,
            opened_ns=beginning.opened_ns,
        )

    def problems(self, choice: MeterChoice) -> Iterator[Problem]:
        """Refuse a phase of more than a period: which refill is the first would not be what it seems."""
        del choice
        if abs(self.phase_s) > self.period_s:
            period = f"{self.period_s:.12g} s"
            yield f"{self.kind}.phase", f"{self.phase_s:.12g} s is out of range; expected -{period} to {period}"
