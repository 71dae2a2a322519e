"""What `validate` tells: the board, gates, comparisons, one cell, and files for other programs."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

from testbed.cli.progress import say, show
from testbed.errors import InputError, InvalidRunError, TestbedError
from testbed.quantities import format_rate
from testbed.report.job_summary import add_to_job_summary
from testbed.report.scores.changes import changes_text, gates_text
from testbed.report.scores.junit import cases_of, gate_cases, junit
from testbed.report.scores.scoreboard import scoreboard
from testbed.report.table import format_table
from testbed.validation.checkers.checker import is_checker
from testbed.validation.checkers.trial import can_be_tried, command_again
from testbed.validation.judging import judgements, known_digest
from testbed.validation.old_detectors import baseline_at
from testbed.validation.scoring.baseline import baseline_of, method_of
from testbed.validation.scoring.comparison import compare
from testbed.validation.scoring.gates import bound_results, worse_results
from testbed.validation.scoring.patience import needs
from testbed.validation.scoring.twins import twin_scores
from testbed.validation.suite import PARTS
from testbed.validation.truth import line_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from testbed.cli.commands.validating.task import Task
    from testbed.report.scores.junit import Case
    from testbed.validation.evaluation import Evaluation, Kept
    from testbed.validation.frontier import FrontierPoint
    from testbed.validation.keeping.store import VerdictRecord
    from testbed.validation.scoring.baseline import Baseline
    from testbed.validation.scoring.gates import GateResult
    from testbed.validation.scoring.patience import Needed
    from testbed.validation.scoring.scores import Scored

__all__ = ["explain", "tell"]

_FEW = 5


def tell(
    task: Task, found: Evaluation, *, spared: int, frontiers: dict[str, list[FrontierPoint]], on_frontiers: Evaluation
) -> int:
    """Print how often detectors are right, and write what was asked for; return the exit status.

    Args:
        task: What was asked for.
        found: What there is.
        spared: How many cells were not made since every gate was decided.
        frontiers: By name.
        on_frontiers: What there is of their cells.
    """
    judged = task.scored(found.kept)
    lost = [*found.missing, *found.invalid, *on_frontiers.missing, *on_frontiers.invalid]
    cases = cases_of([each for each in judged if each.part != "twin"], [(each.id, why) for each, why in lost])
    try:
        if found.kept or lost:  # a suite may have frontiers alone
            _require_both_labels(task, found, judged)
        results, told = _gates(task, found, judged)
    except TestbedError:
        _write_junit(task, cases)  # that nothing ran has to be seen in it, too
        raise
    _write_junit(task, [*cases, *gate_cases(results)])
    board = scoreboard(
        judged, title=task.suite.title, notes=_notes(task, found, judged, spared), twins=twin_scores(judged),
        frontiers=_by_axis(task, frontiers), needed=_needed(task, found, judged),
    )  # fmt: skip
    _give(task, judged, "\n\n".join(part for part in (board, told, gates_text(results)) if part))
    if task.arguments.figures is not None:
        # Matplotlib takes long to load: only where it is asked for.
        draw = import_module("testbed.report.scores.figures").write_score_figures
        draw(judged, _by_axis(task, frontiers), task.arguments.figures)
        say(f"testbed: written to {task.arguments.figures}")
    for cell, why in lost:
        say(f"testbed: not scored: {cell.id}: {why}")
    every = [*judged, *task.scored(on_frontiers.kept)]
    failing = _tell_failures(task, [each.detector for each in every if each.failed])
    for each in results:
        if each.passed is not True:
            say(f"testbed: {'gate' if each.blocking else 'advice'} not passed: {each.name} ({each.found})")
    # First whether it can be told at all: a gate that was passed by half of the runs was not passed.
    if lost or any(each.passed is None and each.blocking for each in results):
        return 4
    return 1 if any(each.passed is False and each.blocking for each in results) else failing


def tell_failures_of(task: Task, kept: Kept) -> int:
    """Say which detectors failed on one cell; return 1 if one of them was named."""
    judged = judgements(task.store, kept.key, kept.record, task.detectors)
    return _tell_failures(task, [each.detector for each in judged if "failed" in each.verdict])


def _needed(task: Task, found: Evaluation, judged: Sequence[Scored]) -> dict[str, Needed]:
    if not task.arguments.needed:
        return {}
    say("testbed: asking detectors about shorter and shorter transfers")
    return needs(
        [each for each in judged if each.part in PARTS], task.store, {kept.cell.id: kept.key for kept in found.kept}
    )


def _give(task: Task, judged: Sequence[Scored], text: str) -> None:
    """Print or write the board, and the files that were asked for."""
    add_to_job_summary(text)
    if task.arguments.json:
        show(json.dumps([_plain(each) for each in judged]))
    elif task.arguments.output is None:
        show(text)
    if task.arguments.output is not None:
        write(task.arguments.output, text + "\n")
    if task.arguments.write_baseline is not None:
        write(task.arguments.write_baseline, json.dumps(_baseline_now(task, judged), indent=1) + "\n")


def _by_axis(task: Task, frontiers: dict[str, list[FrontierPoint]]) -> dict[str, list[FrontierPoint]]:
    known = task.suite.frontiers
    return {f"{name}: {known[name].axis} {known[name].unit}".strip(): points for name, points in frontiers.items()}


def _write_junit(task: Task, cases: Sequence[Case]) -> None:
    if task.arguments.junit is not None:
        write(task.arguments.junit, junit(task.suite.title, cases))


def _require_both_labels(task: Task, found: Evaluation, judged: Sequence[Scored]) -> None:
    lacking = sorted({"throttled", "not throttled"} - {each.label for each in judged if each.part != "twin"})
    if not lacking:
        return
    whys = "".join(f"; {cell.id}: {why}" for cell, why in [*found.missing, *found.invalid][:_FEW])
    problem = f"nothing can be scored: no line of {len(found.kept)} valid runs is {' or '.join(lacking)}{whys}"
    add_to_job_summary(f"# {task.suite.title}\n\n{problem}")
    raise InvalidRunError(problem)


def _gates(task: Task, found: Evaluation, judged: Sequence[Scored]) -> tuple[list[GateResult], str]:
    """Return what came of the gates, and what changed since the baseline, in words."""
    results = bound_results(task.gates, judged)
    before = task.baseline
    if task.baseline_ref is not None:
        now = _baseline_now(task, judged)
        places = {
            digest: task.store.observation_path(kept.key, digest)
            for kept in found.kept
            for digest in kept.record["observations"].values()
        }
        say(f"testbed: asking the detectors of {task.baseline_ref} that have changed since")
        before = baseline_at(task.baseline_ref, now, places)
    if before is None:
        if task.gates.most_worse is not None:
            say("testbed: most-worse was not looked at: there is no --baseline")
        return results, ""
    comparison = compare(before, _baseline_now(task, judged))
    if comparison.added:
        say(f"testbed: not compared, since the baseline has not asked them: {', '.join(comparison.added)}")
    if task.named:  # whoever names detectors asks about them alone
        comparison.removed.clear()
    return results + worse_results(task.gates, comparison), changes_text(comparison)


def _baseline_now(task: Task, judged: Sequence[Scored]) -> Baseline:
    return baseline_of(
        judged, suite=task.arguments.suite, method=method_of(task.suite, task.counted),
        held_out_seed=task.held_out_seed, digests={name: known_digest(name) for name in task.detectors},
    )  # fmt: skip


def _plain(each: Scored) -> dict[str, object]:
    return {
        "part": each.part, "condition": each.condition, "cell": each.cell, "line": each.line,
        "detector": each.detector, "label": each.label, "outcome": each.outcome, "failed": each.failed,
        "observation": each.observation, "truth": each.truth._asdict(), "verdict": each.verdict,
    }  # fmt: skip


def _tell_failures(task: Task, failed: Sequence[str]) -> int:
    """Say which detectors failed, each for every line on which it did; return 1 if one of them was named."""
    for name in dict.fromkeys(failed):
        say(f"testbed: {name} failed, which counts as inconclusive; lines: {failed.count(name)}; --explain says why")
    return 1 if set(failed) & set(task.named) else 0


def _notes(task: Task, found: Evaluation, judged: Sequence[Scored], spared: int) -> list[str]:
    histories = {each.observation for each in judged}
    runs = len(found.kept) + len(found.invalid) + len(found.missing)
    counts = f"{len(found.kept)} of {runs} runs scored, {len(found.invalid)} invalid, {len(found.missing)} missing"
    untried = sum(not can_be_tried(kept.record) for kept in found.kept) if any(map(is_checker, task.detectors)) else 0
    why = "which are twins, measure uploads or QUIC, or have background beside the scenario's own measurements alone"
    notes = [
        *([f"Programs that measure by themselves were not tried in {untried} runs, {why}."] if untried else []),
        f"{counts}; {len(histories)} different observations.",
        f"Held-out seeds are derived from `{task.held_out_seed}`.",
    ]
    if spared:
        notes.append(
            f"{spared} runs were not made, since every gate was decided: looks on the way make intervals optimistic."
        )
    return notes


def write(path: Path, text: str) -> None:
    """Write a file that the user asked for."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another file") from error
    say(f"testbed: written to {path}")


def explain(task: Task, kept: Kept) -> int:
    """Print what is true of a cell, what each detector said, and how to make the run again."""
    show(f"{kept.cell.id} ({kept.cell.part}, seed {kept.cell.seed})\nagain: {kept.record['replay']}\n")
    for problem in kept.record["problems"]:
        show(f"not to be scored: {problem}")
    transfers = kept.record["transfers"]
    for each in transfers:
        acted = ", ".join(f"{one['who']}: {one['what']} at {one['where']}" for one in each["influences"]) or "nothing"
        goodput = format_rate(each["goodput_bps"]) if each["goodput_bps"] else "nothing came"
        show(f"{each['id']} ({each['role']}): {goodput}; acted on by {acted}")
    judged = list(judgements(task.store, kept.key, kept.record, task.detectors))
    rows = [
        (each.line, line_label(transfers, each.line, task.counted), each.detector, *_said(each.verdict))
        for each in judged
    ]
    show("\n" + format_table(("line", "label", "detector", "verdict", "why"), rows))
    for one in judged:
        again = command_again(task.store, kept.key, one.line, one.detector) if is_checker(one.detector) else None
        if again is not None:
            show(f"{one.detector} on {one.line}, again: {again}")
    return _tell_failures(task, [each.detector for each in judged if "failed" in each.verdict])


def _said(verdict: VerdictRecord) -> tuple[str, str]:
    return verdict["outcome"], verdict["why"]
