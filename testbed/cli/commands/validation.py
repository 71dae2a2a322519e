"""How often detectors are right: ``validate``."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import testbed
from testbed.cli.progress import say, show
from testbed.detectors.registry import BUILT_IN
from testbed.engine.engine import ENGINES
from testbed.errors import InputError, InvalidRunError
from testbed.quantities import format_rate
from testbed.records.label import parse_counts
from testbed.report.job_summary import add_to_job_summary
from testbed.report.scores.junit import cases_of, junit
from testbed.report.scores.scoreboard import scoreboard
from testbed.report.table import format_table
from testbed.validation.cells import ENGINE, cells_of, plan_cell
from testbed.validation.checkers.checker import is_checker, refuse_unusable
from testbed.validation.checkers.trial import can_be_tried, is_judged_by
from testbed.validation.evaluation import (
    cell_called,
    ensure,
    evaluate,
    line_label,
    make_all,
    scored,
    this_program,
)
from testbed.validation.judging import judgements
from testbed.validation.keeping.store import Store
from testbed.validation.suite import find_suite, load_suite

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from testbed.engine.kernel import KernelInfo
    from testbed.records.label import Label, Treatment
    from testbed.validation.cells import Cell
    from testbed.validation.evaluation import Evaluation, Kept
    from testbed.validation.keeping.store import VerdictRecord
    from testbed.validation.suite import Suite

__all__ = ["validate_command"]

_FEW = 5


@dataclass(frozen=True, slots=True)
class _Task:
    """What the command line asks for."""

    arguments: argparse.Namespace
    path: Path
    suite: Suite
    held_out_seed: str
    detectors: tuple[str, ...]
    counted: dict[Treatment, Label]
    kernel: KernelInfo
    store: Store

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> _Task:
        path = find_suite(arguments.suite)
        refuse_unusable(arguments.detector)
        return cls(
            arguments,
            path,
            load_suite(path),
            arguments.held_out_seed or _commit(),
            tuple(dict.fromkeys(arguments.detector)) or BUILT_IN,
            parse_counts(arguments.counts),
            ENGINES[ENGINE].prepare(say),
            Store((arguments.store or _default_store()).resolve(), lambda text: say(f"testbed: {text}")),
        )

    def cell(self, name: str) -> Kept:
        """Return one cell, made and judged if need be."""
        return ensure(cell_called(self.suite, self.held_out_seed, name), self.kernel, self.store, self.detectors)

    def command(self, cell: Cell) -> list[str]:
        """Return the command line that makes one cell."""
        options = ["--store", str(self.store.path), "--held-out-seed", self.held_out_seed]
        options += [word for name in self.detectors for word in ("--detector", name)]
        return this_program("validate", str(self.path), "--cell", cell.id, *options)


def validate_command(arguments: argparse.Namespace) -> int:
    """Make the runs of a suite that are not there yet, let detectors judge them, and print how often they are right.

    Returns:
        0; 4 if a run is missing or must not be scored: then the scores are of fewer runs than were planned; 1 if a
        detector that was named failed.
    """
    task = _Task.of(arguments)
    if arguments.cell is not None:
        kept = task.cell(arguments.cell)
        return 0 if kept.record["valid"] else 4
    if arguments.explain is not None:
        return _explain(task, task.cell(arguments.explain))
    cells = list(cells_of(task.suite, task.held_out_seed))
    keys = {cell.id: plan_cell(cell, task.kernel)[0] for cell in cells}
    if arguments.plan:
        for cell in cells:
            made = task.store.cell(keys[cell.id]) is not None
            show(
                json.dumps({"cell": cell.id, "part": cell.part, "seed": cell.seed, "key": keys[cell.id], "made": made})
            )
        return 0
    failed = _make(task, cells, keys)
    return _tell(task, evaluate(cells, keys, task.store, failed))


def _make(task: _Task, cells: Sequence[Cell], keys: dict[str, str]) -> dict[str, str]:
    """Make the cells that are not there; return what went wrong, by the cell's id."""
    if task.arguments.retry == "invalid":
        for key in keys.values():
            if (record := task.store.cell(key)) is not None and not record["valid"]:
                task.store.forget_cell(key)
    absent = [cell for cell in cells if not _is_there(task, keys[cell.id])]
    there = len(cells) - len(absent)
    say(f"testbed: {len(cells)} runs in this suite, {there} of them there already ({task.store.path})")
    jobs = task.arguments.jobs or os.cpu_count() or 1
    return make_all(absent, task.command, jobs=jobs, progress=lambda text: say(f"testbed: {text}"))


def _is_there(task: _Task, key: str) -> bool:
    """Return whether nothing has to be run for a cell: neither the cell itself nor a checker."""
    record = task.store.cell(key)
    return record is not None and is_judged_by(task.store, key, record, task.detectors)


def _tell(task: _Task, found: Evaluation) -> int:
    judged = [each for kept in found.kept for each in scored(kept, task.store, task.detectors, task.counted)]
    lost = [*found.missing, *found.invalid]
    if task.arguments.junit is not None:  # before anything is refused: that nothing ran has to be seen in it, too
        _write(task.arguments.junit, junit(task.suite.title, cases_of(judged, [(each.id, why) for each, why in lost])))
    lacking = sorted({"throttled", "not throttled"} - {each.label for each in judged})
    if lacking:
        whys = "".join(f"; {cell.id}: {why}" for cell, why in lost[:_FEW])
        problem = f"nothing can be scored: no line of {len(found.kept)} valid runs is {' or '.join(lacking)}{whys}"
        add_to_job_summary(f"# {task.suite.title}\n\n{problem}")
        raise InvalidRunError(problem)
    table = scoreboard(judged, title=task.suite.title, notes=_notes(task, found))
    add_to_job_summary(table)
    if task.arguments.json:
        show(json.dumps([asdict(each) for each in judged]))
    elif task.arguments.output is None:
        show(table)
    if task.arguments.output is not None:
        _write(task.arguments.output, table + "\n")
    for cell, why in lost:
        say(f"testbed: not scored: {cell.id}: {why}")
    failing = _tell_failures(task, [each.detector for each in judged if each.failed])
    return 4 if lost else failing


def _tell_failures(task: _Task, failed: Sequence[str]) -> int:
    """Say which detectors failed, each for every line on which it did; return 1 if one of them was named."""
    for name in dict.fromkeys(failed):
        say(f"testbed: {name} failed, which counts as inconclusive; lines: {failed.count(name)}; --explain says why")
    return 1 if set(failed) & set(task.arguments.detector) else 0


def _notes(task: _Task, found: Evaluation) -> list[str]:
    histories = {digest for kept in found.kept for digest in kept.record["observations"].values()}
    runs = len(found.kept) + len(found.invalid) + len(found.missing)
    counts = f"{len(found.kept)} of {runs} runs scored, {len(found.invalid)} invalid, {len(found.missing)} missing"
    untried = sum(not can_be_tried(kept.record) for kept in found.kept) if any(map(is_checker, task.detectors)) else 0
    beside = "whose background goes on beside the scenario's own measurements alone"
    return [
        *([f"Programs that measure by themselves were not tried in {untried} runs, {beside}."] if untried else []),
        f"{counts}; {len(histories)} different observations.",
        f"Held-out seeds are derived from `{task.held_out_seed}`.",
    ]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another file") from error
    say(f"testbed: written to {path}")


def _explain(task: _Task, kept: Kept) -> int:
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
    return _tell_failures(task, [each.detector for each in judged if "failed" in each.verdict])


def _said(verdict: VerdictRecord) -> tuple[str, str]:
    return verdict["outcome"], verdict["why"]


def _default_store() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "throttling-testbed" / "validation"


def _commit() -> str:
    """Return the commit of the testbed that runs, or its version where it is installed."""
    # Nobody can choose a commit's name for the seeds that come of it, and everybody can look it up afterwards.
    folder = Path(testbed.__file__).parent
    git = shutil.which("git")
    if git is not None:
        found = subprocess.run([git, "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
    return importlib.metadata.version("throttling-testbed")
