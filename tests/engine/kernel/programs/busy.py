"""Never ends: computes, polls or waits, as the environment says."""

from __future__ import annotations

import os
import time

action = os.environ["ACTION"]
while True:
    if action == "poll":
        os.sched_yield()
    elif action == "wait":
        time.sleep(3600)
