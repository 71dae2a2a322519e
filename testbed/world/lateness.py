"""How late timers fire where time is real: a starved guest delays packets that nobody asked it to delay.

Not needed in virtual time, where the clock stands still while anything computes.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time

__all__ = ["LATE_S", "Metronome"]

LATE_S = 0.02  # a tenth of the round-trip time of the published measurements
_PERIOD_S = 0.05


class Metronome:
    """A child process that sleeps in short steps and notes how long it really slept."""

    def __init__(self) -> None:
        self._report, report = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            status = 1
            try:
                os.write(report, json.dumps(_beat()).encode())
                status = 0
            finally:
                os._exit(status)
        os.close(report)

    def stop(self) -> dict[str, float]:
        """End it; return ``timers`` (how many), ``late`` (how many over `LATE_S`) and ``worst_s``."""
        os.kill(self._pid, signal.SIGTERM)
        with os.fdopen(self._report, "rb") as report:
            counts: dict[str, float] = json.loads(report.read())
        os.waitpid(self._pid, 0)
        return counts


def _beat() -> dict[str, float]:
    awake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGTERM, lambda *_: None)
    timers, late, worst_s = 0, 0, 0.0
    while True:
        expected = time.monotonic() + _PERIOD_S
        if select.select([awake], [], [], _PERIOD_S)[0]:
            return {"timers": timers, "late": late, "worst_s": worst_s}
        lateness_s = time.monotonic() - expected
        timers += 1
        late += lateness_s > LATE_S
        worst_s = max(worst_s, lateness_s)
