#!/usr/bin/env python3
"""Fetch a file from a name that may be throttled and from one that is not, and say whether the first is slower.

    speedcheck.py [--json] [--repeat N] TARGET_URL CONTROL_URL

Exit status 0: as fast; 1: slower; 2: cannot tell. A tool of the kind that people run against real censors: it knows
nothing of the testbed. Python's standard library only.
"""

import argparse
import json
import ssl
import statistics
import sys
import time
import urllib.error
import urllib.request

LEAST_BYTES = 50_000  # fewer say more of the round-trip time than of any limit
SLOWER = 2.0  # how many times slower than the control a target is called throttled
PATIENCE_S = 60.0
OUTCOMES = {0: "not throttled", 1: "throttled", 2: "inconclusive"}


def speed_bps(url: str, context: ssl.SSLContext) -> float | None:
    """Return bits a second of one download, from the first byte on, or None if it fails or is too small."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S, context=context) as answer:  # noqa: S310 - the user's own
            first = answer.read(1)
            began = time.monotonic()
            size = len(first)
            while piece := answer.read(1 << 16):
                size += len(piece)
            took = time.monotonic() - began
    except (OSError, urllib.error.URLError):
        return None
    return size * 8 / took if took > 0 and size >= LEAST_BYTES else None


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="Say whether a target is slower than a control.")
    parser.add_argument("target")
    parser.add_argument("control")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    context = ssl.create_default_context()
    # One small key share: a hello with those of today takes two packets, in which boxes of 2021 do not find the name.
    context.set_ecdh_curve("prime256v1")
    speeds = {
        url: [speed_bps(url, context) for _ in range(arguments.repeat)] for url in (arguments.target, arguments.control)
    }
    known = {url: [each for each in found if each is not None] for url, found in speeds.items()}
    if not all(known.values()):
        status, why = 2, "a download failed, or was too small"
    else:
        target, control = (statistics.median(known[url]) for url in (arguments.target, arguments.control))
        status = int(control > SLOWER * target)
        why = f"target {target / 1e3:.0f} kbit/s, control {control / 1e3:.0f} kbit/s"
    print(json.dumps({"outcome": OUTCOMES[status], "why": why}) if arguments.json else f"{OUTCOMES[status]}: {why}")
    return status


if __name__ == "__main__":
    sys.exit(main())
