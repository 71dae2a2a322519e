"""How often detectors are right: ``validate``."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from typing import TYPE_CHECKING

from testbed.cli.commands.validating.task import Task
from testbed.cli.commands.validating.telling import explain, tell, tell_failures_of
from testbed.cli.progress import say, show
from testbed.errors import InputError
from testbed.validation.cells import cells_of, frontier_cells
from testbed.validation.evaluation import Evaluation, evaluate, forget_for_retry
from testbed.validation.frontier import find_frontier
from testbed.validation.running.worker import answers
from testbed.validation.scoring.gates import bound_results

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from testbed.validation.cells import Cell
    from testbed.validation.frontier import FrontierPoint
    from testbed.validation.scoring.scores import Scored

__all__ = ["validate_command"]

_MANY = "-"


def validate_command(arguments: argparse.Namespace) -> int:
    """Make the runs of a suite that are not there yet, let detectors judge them, and print how often they are right.

    Returns:
        0; 4 if a run is missing or must not be scored: then the scores are of fewer runs than were planned; 1 if a gate
        was not passed, or a detector that was named failed.
    """
    task = Task.of(arguments)
    if arguments.cell == _MANY:
        failed = 0
        for answer in answers(sys.stdin, lambda name: _made(task, name)):
            print(answer, flush=True)
            failed += json.loads(answer)["problem"] is not None
        return 4 if failed else 0
    if arguments.cell is not None:
        kept = task.cell(arguments.cell)
        return tell_failures_of(task, kept) if kept.record["valid"] else 4
    if arguments.explain is not None:
        return explain(task, task.cell(arguments.explain))
    cells = list(cells_of(task.suite, task.held_out_seed))
    keys = {cell.id: task.key(cell) for cell in cells}
    _require_frontiers(task)
    if arguments.plan:
        return _plan(task, cells, keys)
    if arguments.stop_early and not task.gates.bounds:
        raise InputError("--stop-early: no gate has a bound; set some in pyproject.toml (docs/reference/validation.md)")
    if arguments.frontier and not task.suite.frontiers:
        raise InputError(f"--frontier: the suite {arguments.suite} has none; give one under 'frontiers'")
    if not cells and not arguments.frontier:
        raise InputError(f"the suite {arguments.suite} has frontiers alone; look for them with --frontier")
    return _validate(task, cells, keys)


def _require_frontiers(task: Task) -> None:
    """Refuse a frontier whose ends are no scenario, before any run is made."""
    for name, frontier in task.suite.frontiers.items():
        for value in (frontier.start, frontier.end):
            task.key(next(frontier_cells(task.suite, task.held_out_seed, name, value)))


def _made(task: Task, name: str) -> None:
    task.cell(name)


def _plan(task: Task, cells: Sequence[Cell], keys: Mapping[str, str]) -> int:
    for cell in cells:
        made = task.is_made(keys[cell.id])
        show(json.dumps({"cell": cell.id, "part": cell.part, "seed": cell.seed, "key": keys[cell.id], "made": made}))
    return 0


def _validate(task: Task, cells: Sequence[Cell], keys: Mapping[str, str]) -> int:
    if task.arguments.retry is not None:
        forget_for_retry(task.store, keys.values(), task.detectors, task.arguments.retry)
    there = {cell.id for cell in cells if task.is_made(keys[cell.id])}
    say(f"testbed: {len(cells)} runs in this suite, {len(there)} of them there already ({task.store.path})")
    failed: dict[str, str] = {}
    wanted: list[Cell] = []
    for group in _groups(task, cells):
        wanted += group
        failed |= task.make([cell for cell in group if cell.id not in there])
        if task.arguments.stop_early and len(wanted) < len(cells):
            found = evaluate(wanted, keys, task.store, failed)
            results = bound_results(task.gates, task.scored(found.kept))
            if all(each.decided and each.passed is not None for each in results):
                say(f"testbed: every gate is decided after {len(wanted)} runs")
                break
    found = evaluate(wanted, keys, task.store, failed)
    on_frontiers = Evaluation([], [], [])
    frontiers = _frontiers(task, on_frontiers) if task.arguments.frontier else {}
    return tell(task, found, spared=len(cells) - len(wanted), frontiers=frontiers, on_frontiers=on_frontiers)


def _groups(task: Task, cells: Sequence[Cell]) -> list[list[Cell]]:
    """Return the cells in the portions after which gates are looked at: a draw of each condition."""
    if not task.arguments.stop_early:
        return [list(cells)]
    return [list(group) for _, group in groupby(cells, key=lambda cell: cell.number)]


def _frontiers(task: Task, every_cell: Evaluation) -> dict[str, list[FrontierPoint]]:
    """Find the suite's frontiers, and note what came of all their cells."""
    found = {}
    for name, frontier in task.suite.frontiers.items():
        say(f"testbed: frontier {name}")

        def ask(values: Sequence[float], name: str = name) -> dict[float, list[Scored]]:
            cells = {value: list(frontier_cells(task.suite, task.held_out_seed, name, value)) for value in values}
            every = [cell for of_value in cells.values() for cell in of_value]
            keys = {cell.id: task.key(cell) for cell in every}
            failed = task.make([cell for cell in every if not task.is_made(keys[cell.id])])
            reached: dict[float, Evaluation] = {
                value: evaluate(of_value, keys, task.store, failed) for value, of_value in cells.items()
            }
            for each in reached.values():
                every_cell.kept.extend(each.kept)
                every_cell.missing.extend(each.missing)
                every_cell.invalid.extend(each.invalid)
            return {value: task.scored(each.kept) for value, each in reached.items()}

        found[name] = find_frontier(frontier, task.detectors, ask)
    return found
