"""How late timers fire where time is real: a starved guest delays packets that nobody asked it to delay.

Not needed in virtual time, where the clock stands still while anything computes.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

from testbed.guest.child import await_signal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LATE_S", "beat"]

LATE_S = 0.02  # a tenth of the round-trip time of the published measurements
_PERIOD_S = 0.05


def beat(ready: Callable[[], None]) -> dict[str, float]:
    """The body of a child that sleeps in short steps until SIGTERM and notes how long it really slept.

    Returns:
        ``timers`` (how many), ``late`` (how many over `LATE_S`) and ``worst_s``.
    """
    awake = await_signal()
    timers, late, worst_s = 0, 0, 0.0
    ready()
    while True:
        expected = time.monotonic() + _PERIOD_S
        if select.select([awake], [], [], _PERIOD_S)[0]:
            return {"timers": timers, "late": late, "worst_s": worst_s}
        lateness_s = time.monotonic() - expected
        timers += 1
        late += lateness_s > LATE_S
        worst_s = max(worst_s, lateness_s)
