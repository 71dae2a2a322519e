"""A detector to begin with: it reads an observation as JSON on stdin, and writes a verdict as JSON on stdout.

Try it:  python detector.py <A/line.observation.json
It compares how fast two names were. That is not enough: a slow server is no throttling.
"""

import json
import sys

observation = json.load(sys.stdin)
rates = {}
for transfer in observation["transfers"]:
    if transfer["bytes"] and transfer["times_s"][-1] > 0:
        rates.setdefault(transfer["role"], []).append(8 * transfer["bytes"][-1] / transfer["times_s"][-1])

if "target" not in rates or "control" not in rates:
    print(json.dumps({"outcome": "inconclusive", "why": "there is nothing to compare"}))
else:
    target, control = max(rates["target"]), max(rates["control"])
    outcome = "throttled" if target < control / 2 else "not throttled"
    print(json.dumps({"outcome": outcome, "why": f"{target:.0f} bit/s, and {control:.0f} bit/s of the control"}))
