"""How late timers fire where time is real: a starved guest delays packets that nobody asked it to delay.

The boxes' and links' delays are timers of the same kernel, so a process that sleeps in short steps is late when they
are. Not needed in virtual time, where the clock stands still while anything computes.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.guest.child import Lifetime
    from testbed.records.certificate import Lateness

__all__ = ["count_late_timers"]

_PERIOD_S = 0.05  # twenty looks a second cost a guest nothing, and no starvation that matters is shorter


def count_late_timers(late_s: float) -> Callable[[Lifetime], Lateness]:
    """Return the body of a child that sleeps in short steps until it is to end, and notes how long it really slept.

    Args:
        late_s: A timer that fires so much too late, or later, counts as late.
    """

    def count(lifetime: Lifetime) -> Lateness:
        timers, late, worst_s = 0, 0, 0.0
        lifetime.ready()
        while True:
            expected = time.monotonic() + _PERIOD_S
            if select.select([lifetime], [], [], _PERIOD_S)[0]:
                return {"timers": timers, "late": late, "worst_s": worst_s}
            lateness_s = time.monotonic() - expected
            timers += 1
            late += lateness_s > late_s
            worst_s = max(worst_s, lateness_s)

    return count
