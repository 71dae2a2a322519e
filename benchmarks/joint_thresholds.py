"""Choose the thresholds of `testbed.detectors.methods.joint` from a suite's development conditions, and print them.

Held-out conditions are never opened. Each observation is judged as it is, with captures at both ends, and as that of
the client or the server alone would tell it. One threshold after the other is moved over a grid, the others as set.
Of the values with which the balanced accuracy, averaged over conditions and over the three views, is best or as good,
the middle of the longest run is taken; and all of it is done again until nothing moves. The runs have to be there:

    testbed validate core --detector ooni
    python benchmarks/joint_thresholds.py [--suite core] [--store FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.methods.joint import JointDetector, Thresholds
from testbed.detectors.observation import Direction
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.detectors.tools.evidence import Evidence
from testbed.detectors.verdict import Outcome
from testbed.engine.kernel import kernel_info
from testbed.validation.cells import cells_of, plan_cell
from testbed.validation.defaults import default_store
from testbed.validation.keeping.store import Store
from testbed.validation.suite import find_suite, load_suite
from testbed.validation.truth import line_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from testbed.detectors.observation import Observation, Transfer

GRIDS: Final[Mapping[str, tuple[float, ...]]] = {
    "agreement": tuple(np.round(np.linspace(0.6, 0.98, 20), 2).tolist()),
    "slope": tuple(np.round(np.geomspace(0.02, 1.0, 18), 3).tolist()),
    "ahead": tuple(np.round(np.geomspace(1.0, 8.0, 16), 2).tolist()),
    "contrast": tuple(np.round(np.geomspace(1.05, 3.0, 18), 2).tolist()),
    "same_rate": tuple(np.round(np.geomspace(1.02, 1.3, 13), 3).tolist()),
}
ROUNDS: Final = 4
AS_GOOD: Final = 0.005  # one verdict of some six in one of some twenty conditions with a label is 0.004


@dataclass(frozen=True)
class Case:
    """An observation of one view, with what is known of its transfers and its label."""

    condition: str
    throttled: bool
    observation: Observation
    known: dict[str, Evidence]


def cases(suite: str, folder: Path) -> Iterator[Case]:
    """Yield the development observations of a suite, each in three views.

    Raises:
        SystemExit: A run is not there.
    """
    store, kernel = Store(folder), kernel_info()
    for cell in cells_of(load_suite(find_suite(suite)), "none is opened"):
        if cell.part != "development" or cell.twin:
            continue
        key, _ = plan_cell(cell, kernel)
        record = store.cell(key)
        if record is None:
            raise SystemExit(f"the run {cell.id} is not in {folder}: testbed validate {suite} --detector ooni makes it")
        for line, digest in record["observations"].items():
            label = line_label(record["transfers"], line)
            whole = observation_from_json(store.observation(key, digest), where=key)
            for view in views(whole):
                if label != "left out":
                    known = {each.id: Evidence(each) for each in view.transfers}
                    yield Case(cell.condition, label == "throttled", view, known)


def views(whole: Observation) -> Iterator[Observation]:
    """Yield an observation as it is, and as the capture of either side alone would tell of it."""
    yield whole
    for side in (Direction.DOWN, Direction.UP):  # the client receives downloads and sends uploads
        yield replace(
            whole, transfers=tuple(_at_one_end(each, is_receiver=each.direction is side) for each in whole.transfers)
        )


def _at_one_end(transfer: Transfer, *, is_receiver: bool) -> Transfer:
    if is_receiver:
        return replace(transfer, sender_flow=None, tcp_info=None)
    return replace(transfer, receiver_flow=None)


def balanced_accuracy(found: list[Case], thresholds: Thresholds) -> float:
    """Judge all; each condition counts once among those that are throttled, and once among those that are not."""
    said: dict[tuple[bool, str], list[bool]] = defaultdict(list)
    detector = JointDetector(thresholds=thresholds)
    for case in found:
        outcome = detector.judge(case.observation, case.known).outcome
        said[case.throttled, case.condition].append((outcome is Outcome.THROTTLED) is case.throttled)
    return fmean(fmean(fmean(each) for key, each in said.items() if key[0] is side) for side in (True, False))


def middle_of_best(values: tuple[float, ...], scores: list[float]) -> float:
    """Return the middle of the longest run of values whose score is the best, or as good."""
    best = [score >= max(scores) - AS_GOOD for score in scores]
    runs: list[list[float]] = [[]]
    for value, is_best in zip(values, best, strict=True):
        if is_best:
            runs[-1].append(value)
        elif runs[-1]:
            runs.append([])
    longest = max(runs, key=len)
    return longest[len(longest) // 2]


def main() -> None:
    """Choose and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="core")
    parser.add_argument("--store", type=Path, default=default_store())
    arguments = parser.parse_args()
    found = list(cases(arguments.suite, arguments.store))
    print(f"{len(found)} observations of {len({case.condition for case in found})} conditions", file=sys.stderr)
    thresholds = Thresholds()
    for _ in range(ROUNDS):
        before = thresholds
        for name, values in GRIDS.items():
            scores = [balanced_accuracy(found, replace(thresholds, **{name: value})) for value in values]
            thresholds = replace(thresholds, **{name: middle_of_best(values, scores)})
            told = " ".join(f"{value:g}:{score:.3f}" for value, score in zip(values, scores, strict=True))
            print(f"{name} {told}", file=sys.stderr)
        if thresholds == before:
            break
    for name in GRIDS:
        print(f"{name} = {getattr(thresholds, name):g}")
    print(f"balanced accuracy over development conditions and all views: {balanced_accuracy(found, thresholds):.3f}")


if __name__ == "__main__":
    main()
