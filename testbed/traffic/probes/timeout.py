"""How long the box remembers an idle flow, by bisection (Xue et al., IMC 2021, section 6.6: about 10 minutes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.traffic.evasion.idle import after_idling
from testbed.traffic.options import option, span

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.records.probes import TimeoutFound, TimeoutTried
    from testbed.traffic.probes.trials import Trials

__all__ = ["Timeout", "bisect"]


@dataclass(frozen=True, slots=True)
class Timeout:
    """Trigger, stay idle, transfer; longer if it was held back, shorter if not."""

    longest: float = option(3600.0, span(1, 86_400), "the longest idle time to try")
    precision: float = option(1.0, span(0.1, 60), "how exactly to search")

    def run(self, trials: Trials) -> TimeoutFound:
        """Search for the time, which lies in [``remembers_s``, ``forgets_s``]; None: beyond the longest tried."""
        tried: list[TimeoutTried] = []

        def remembers(seconds: float) -> bool:
            held_back = trials.held_back(after_idling(trials.name, seconds))
            tried.append({"idle_s": seconds, "held_back": held_back})
            return held_back

        remembers_s, forgets_s = bisect(remembers, self.longest, self.precision)
        return {"remembers_s": remembers_s, "forgets_s": forgets_s, "tried": tried}


def bisect(remembers: Callable[[float], bool], longest: float, precision: float) -> tuple[float, float | None]:
    """Return the longest time known to be remembered and the shortest known not to be, ``precision`` apart at most.

    (longest, None) if that is still remembered.
    """
    if remembers(longest):  # first, so that a box that never forgets costs one trial
        return longest, None
    low, high = 0.0, longest
    while high - low > precision:
        middle = (low + high) / 2
        if remembers(middle):
            low = middle
        else:
            high = middle
    return low, high
