#!/usr/bin/env python3
"""A detector as a program: is the target slower than the control, and steadily so?

Reads an observation on stdin, writes a verdict on stdout. Standard library only.
"""

from __future__ import annotations

import json
import statistics
import sys
from itertools import pairwise
from typing import Any

PARTS = 8
RATIO = 3
SPREAD = 0.3


def speeds(transfer: dict[str, Any]) -> list[float]:
    """Return the speed (bit/s) in each of eight equal stretches of a transfer's time."""
    times, totals = transfer["times_s"], transfer["bytes"]
    if len(times) < PARTS or times[-1] <= 0:
        return []
    edges = [times[-1] * part / PARTS for part in range(PARTS + 1)]
    reached = [max([0] + [total for time, total in zip(times, totals, strict=True) if time <= edge]) for edge in edges]
    return [(after - before) * 8 * PARTS / times[-1] for before, after in pairwise(reached)]


def judge(observation: dict[str, Any]) -> dict[str, Any]:
    """Return a verdict: outcome and why are mandatory."""
    by_role = {role: [t for t in observation["transfers"] if t["role"] == role] for role in ("target", "control")}
    if not by_role["target"] or not by_role["control"]:
        return {"outcome": "inconclusive", "why": "needs a target and a control"}
    target, control = (speeds(by_role[role][0]) for role in ("target", "control"))
    if not target or not control:
        return {"outcome": "inconclusive", "why": "too few samples"}
    ratio = statistics.median(control) / max(statistics.median(target), 1)
    spread = statistics.pstdev(target[1:]) / max(statistics.mean(target[1:]), 1)
    throttled = ratio > RATIO and spread < SPREAD
    return {
        "outcome": "throttled" if throttled else "not throttled",
        "why": f"the control was {ratio:.1f} times faster; the target's speed varied by {spread:.0%}",
        "score": ratio,
        "rate_bps": statistics.median(target) if throttled else None,
    }


if __name__ == "__main__":
    json.dump(judge(json.load(sys.stdin)), sys.stdout)
