"""How often `joint` is right by where it is captured: at both ends, at the client alone, at the server alone.

It judges the runs of a suite that are in the store, those of one part, and opens held-out ones only if it is told to:

    testbed validate core --held-out-seed SEED
    python benchmarks/joint_views.py --part held_out --held-out-seed SEED
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from joint_thresholds import views

from testbed.detectors.methods.joint import JointDetector
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.engine.kernel import kernel_info
from testbed.validation.cells import cells_of, plan_cell
from testbed.validation.defaults import default_held_out_seed, default_store
from testbed.validation.keeping.store import FORMAT, Store
from testbed.validation.scoring.scores import Scored, part_scores
from testbed.validation.suite import find_suite, load_suite
from testbed.validation.truth import LineTruth, line_label

if TYPE_CHECKING:
    from testbed.validation.keeping.store import VerdictRecord

VIEWS = ("both ends", "the client alone", "the server alone")


def scored(arguments: argparse.Namespace) -> list[Scored]:
    """Judge every line of the part in each view."""
    store, kernel = Store(arguments.store), kernel_info()
    found: list[Scored] = []
    for cell in cells_of(load_suite(find_suite(arguments.suite)), arguments.held_out_seed):
        if cell.part != arguments.part or cell.twin:
            continue
        key, _ = plan_cell(cell, kernel)
        record = store.cell(key)
        if record is None:
            raise SystemExit(f"the run {cell.id} is not in {arguments.store}: testbed validate {arguments.suite}")
        for line, digest in record["observations"].items():
            label = line_label(record["transfers"], line)
            whole = observation_from_json(store.observation(key, digest), where=key)
            for view, observation in zip(VIEWS, views(whole), strict=True):
                verdict = JointDetector().detect(observation)
                said: VerdictRecord = {
                    "format": FORMAT, "detector": view, "outcome": verdict.outcome.value, "why": verdict.why,
                    "score": verdict.score, "rate_bps": verdict.rate_bps, "onset_s": verdict.onset_s,
                    "mechanism": verdict.mechanism, "content_specific": verdict.content_specific,
                }  # fmt: skip
                one = Scored(cell.part, cell.condition, cell.id, line, digest, view, LineTruth(label), said)
                found += [one] if label != "left out" else []
    return found


def main() -> None:
    """Print a row for each view."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="core")
    parser.add_argument("--store", type=Path, default=default_store())
    parser.add_argument("--part", choices=("development", "held_out"), default="development")
    parser.add_argument("--held-out-seed", default=default_held_out_seed())
    arguments = parser.parse_args()
    print("| captured at | balanced accuracy | found | false alarms | inconclusive |\n|---|---|---|---|---|")
    for score in part_scores(scored(arguments), arguments.part):
        shares = [score.balanced or 0.0, score.found or 0.0, score.alarms or 0.0, score.inconclusive]
        balanced, hits, alarms, doubts = (f"{share:.0%}" for share in shares)
        counts = [f"({some} of {of})" for some, of in (score.found_of, score.alarms_of)]
        print(f"| {score.detector} | {balanced} | {hits} {counts[0]} | {alarms} {counts[1]} | {doubts} |")


if __name__ == "__main__":
    main()
