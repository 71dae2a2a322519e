"""A meter that acts for a part of a flow only: from some byte or second on, or for some seconds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.middlebox.meters.meter import Beginning, Meter, MeterSpec

__all__ = ["InPeriod", "Period"]

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """When a limit begins, counted from the match, and when it ends. None: at once, and never.

    Attributes:
        after_amount_bytes: It begins with the packet with which more than this would have passed.
        after_time_s: It begins so long after the match.
        lasts_s: It ends so long after it began.
    """

    after_amount_bytes: int | None = None
    after_time_s: float | None = None
    lasts_s: float | None = None

    @property
    def is_all(self) -> bool:
        """Whether the limit holds from the match on for good."""
        return self == Period()

    def parameters(self) -> dict[str, float]:
        """Return what was said of it, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class InPeriod:
    """A meter that is made when its period begins, so that nothing is charged or refilled before."""

    __slots__ = ("_amount", "_beginning", "_begins_ns", "_lasts_ns", "_meter", "_spec")

    def __init__(self, period: Period, spec: MeterSpec, beginning: Beginning) -> None:
        """A meter as ``spec`` says, in a flow that began so."""
        self._spec = spec
        self._beginning = beginning
        self._amount = period.after_amount_bytes
        self._begins_ns = beginning.matched_ns + round((period.after_time_s or 0) * _NS_PER_S)
        self._lasts_ns = None if period.lasts_s is None else round(period.lasts_s * _NS_PER_S)
        self._meter: Meter | None = None

    def departure_ns(self, length: int, now_ns: int) -> int | None:
        """Return when a packet leaves: at once outside of the period, and as the meter says within it."""
        if self._meter is None:
            if not self._has_begun(length, now_ns):
                return now_ns
            # A limit that waits for bytes begins with a packet, one that waits for a time at that very time.
            self._begins_ns = now_ns if self._amount is not None else self._begins_ns
            self._meter = self._spec.start(self._beginning._replace(matched_ns=self._begins_ns))
        if self._lasts_ns is not None and now_ns - self._begins_ns >= self._lasts_ns:
            return now_ns
        return self._meter.departure_ns(length, now_ns)

    def _has_begun(self, length: int, now_ns: int) -> bool:
        if self._amount is not None:
            if length <= self._amount:
                self._amount -= length
                return False
            return True
        return now_ns >= self._begins_ns
