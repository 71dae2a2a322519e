"""Find the threshold of `testbed.detectors.methods.signatures` in runs of ours, test it on other seeds, and print it.

The paper's two classes: a flow that filled a buffer of its own (the narrowest link of its path has one, and nobody else
is there), and a flow that met a limit from outside (a policer, or a border that others have filled already). Of the two
features the range alone is used: with both, and questions as deep as the paper's, no more was told apart.

    python benchmarks/detectors_train_signatures.py
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from testbed.detectors.methods.signatures import features
from testbed.detectors.sources.observe import observe
from testbed.engine.kernel import ensure_kernel, kernel_info
from testbed.engine.run import run_plan
from testbed.scenario import library
from testbed.scenario.plan import make_plan

TRAINED_ON, TESTED_ON = (21, 22, 23), (31, 32, 33)
_P = "network.parameters."
_OWN = [
    ("censors={}", f"{_P}mobile_down={rate}", f"{_P}landline_down={rate}", f"{_P}queue={queue}")
    for rate in ("1 Mbit/s", "2 Mbit/s", "4 Mbit/s")
    for queue in (60, 250)
]
_OUTSIDE = [
    ("lines.1.tspu=true",),
    ("lines.1.tspu=true", "meter=coarse_refill"),
    ("lines.1.tspu=true", f"{_P}abroad_delay=30 ms"),
    ("lines.1.tspu=true", f"{_P}mobile_down=2 Mbit/s", f"{_P}landline_down=2 Mbit/s"),
    ("censors={}", f"{_P}border_rate=3 Mbit/s", f"{_P}border_queue=15"),
]


def flows(settings: tuple[str, ...], seed: int) -> list[float]:
    """The range of each target's round-trip times in one run, where there are enough of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        plan = make_plan(
            library.find("scenarios", "confounders/pairs"), list(settings), seed=seed, engine="virtual", command=None
        )
        run_plan(plan, kernel_info(), folder, silence_s=300, progress=lambda _: None)
        targets = [each for each in observe([folder]).transfers if each.role == "target" and each.sender_flow]
        found = [features(each.sender_flow) for each in targets if each.sender_flow is not None]
        return [each[0] for each in found if each is not None]


def best_threshold(
    ranges: np.ndarray[tuple[int], np.dtype[np.float64]], own: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> float:
    """Return the middle between the two ranges between which the fewest flows are on the wrong side."""
    order = np.argsort(ranges, kind="stable")
    ranges, own = ranges[order], own[order]
    wrong = np.cumsum(own)[:-1] + (np.cumsum(~own[::-1])[::-1])[1:]
    place = int(np.argmin(np.where(np.diff(ranges) > 0, wrong, len(ranges))))
    return float((ranges[place] + ranges[place + 1]) / 2)


def main() -> None:
    """Run, train, test, print."""
    ensure_kernel(progress=lambda text: print(text, file=sys.stderr))
    cells = [
        (settings, seed, own)
        for own, group in ((True, _OWN), (False, _OUTSIDE))
        for settings in group
        for seed in (*TRAINED_ON, *TESTED_ON)
    ]
    with ProcessPoolExecutor() as pool:
        results = pool.map(flows, [cell[0] for cell in cells], [cell[1] for cell in cells])
        rows = [(value, own, seed) for (_, seed, own), found in zip(cells, results, strict=True) for value in found]
    ranges = np.array([row[0] for row in rows])
    own = np.array([row[1] for row in rows])
    known = np.array([row[2] in TRAINED_ON for row in rows])
    threshold = best_threshold(ranges[known], own[known])
    is_own, others = ranges[~known] > threshold, own[~known]
    print(f"{known.sum()} flows to train on, {len(others)} of other seeds to test on")
    print(f"own buffer: {np.mean(is_own[others]):.0%} right; limit from outside: {np.mean(~is_own[~others]):.0%} right")
    print(f"RANGE = {threshold:.3f}")


if __name__ == "__main__":
    main()
