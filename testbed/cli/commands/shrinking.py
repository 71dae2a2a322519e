"""The simplest scenario on which a detector is still wrong: ``shrink``."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from testbed.cli.progress import say, show
from testbed.detectors.verdict import Outcome
from testbed.engine.engine import ENGINES
from testbed.engine.run import run_plan
from testbed.errors import InputError, ScenarioError
from testbed.validation.cells import ENGINE, Cell, cell_called, plan_cell
from testbed.validation.defaults import default_held_out_seed, default_store
from testbed.validation.evaluation import ensure, scored
from testbed.validation.keeping.store import Store
from testbed.validation.shrinking import document_of, shrink
from testbed.validation.suite import find_suite, load_suite

if TYPE_CHECKING:
    import argparse

    from testbed.engine.kernel import KernelInfo
    from testbed.validation.shrinking import Shrunk

__all__ = ["shrink_command"]

_SILENCE_S = 300.0


def shrink_command(arguments: argparse.Namespace) -> int:
    """Shrink a run on which a detector is wrong, and write down what is left.

    Returns:
        0; 1 if the detector is right about the run, so that there is nothing to shrink.
    """
    suite = load_suite(find_suite(arguments.suite))
    cell = cell_called(suite, arguments.held_out_seed or default_held_out_seed(), arguments.cell)
    if cell.twin:
        raise InputError(
            f"{cell.id} is a twin, which is no scenario of its own; shrink {cell.id.removesuffix('/twin')}"
        )
    output = arguments.output or Path(f"shrunk-{cell.id.replace('/', '-')}")
    if output.exists():
        raise InputError(f"{output} is there already; choose another folder with -o")
    search = _Search(arguments, ENGINES[ENGINE].prepare(say), cell)
    wrong = search.answers(cell)
    if not wrong:
        say(f"testbed: {arguments.detector} is right about {cell.id}, or it is left out of scores; nothing to shrink")
        return 1
    search.wrong = wrong
    plan = plan_cell(cell, search.kernel)[1]
    drawn = {each["key"]: each["value"] for each in plan.data["drawn"]}
    tree = document_of(cell.scenario, cell.settings)
    with tempfile.TemporaryDirectory() as folder:
        search.path = Path(folder) / "scenario.yaml"
        left = shrink(
            tree, drawn, search.still_wrong, tries=arguments.tries, progress=lambda text: say(f"testbed: {text}")
        )
    search.write(output, left)
    return 0


class _Search:
    """Asks of a scenario whether the detector is wrong about it in the same way."""

    def __init__(self, arguments: argparse.Namespace, kernel: KernelInfo, cell: Cell) -> None:
        self.kernel = kernel
        self.wrong: set[tuple[str, str]] = set()
        self.path = Path()
        self._cell = cell
        self._detector: str = arguments.detector
        self._store = Store((arguments.store or default_store()).resolve(), lambda text: say(f"testbed: {text}"))

    def answers(self, cell: Cell) -> set[tuple[str, str]]:
        """Return label and outcome of each line about which the detector is wrong."""
        kept = ensure(cell, self.kernel, self._store, [self._detector])
        if not kept.record["valid"]:
            return set()
        judged = scored(kept, self._store, [self._detector])
        return {
            (each.label, each.outcome)
            for each in judged
            if not each.is_right or (each.label == "throttled" and each.outcome == Outcome.INCONCLUSIVE)
        }

    def still_wrong(self, text: str) -> bool | None:
        """Return whether a scenario has a line about which the detector is wrong as before; None: it is no scenario."""
        # Always the same path: the key of a cell does not depend on it, and what was tried is found in the store.
        self.path.write_text(text, encoding="utf-8")
        try:
            return bool(self.answers(self._of(self.path)) & self.wrong)
        except (ScenarioError, InputError):
            return None

    def _of(self, path: Path) -> Cell:
        return Cell("development", "shrunk", 1, str(path), (), self._cell.seed)

    def write(self, folder: Path, left: Shrunk) -> None:
        """Write the scenario, a run of it with captures, and how both were made."""
        folder.mkdir(parents=True)
        scenario = folder / "scenario.yaml"
        words = [f"on which {self._detector} is wrong: {label}, called {outcome}" for label, outcome in self.wrong]
        tree = {**left.tree, "title": f"Shrunk from {self._cell.id}", "about": f"{'; '.join(words)}."}
        scenario.write_text(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), encoding="utf-8")
        plan = plan_cell(self._of(scenario), self.kernel)[1]
        run_plan(plan, self.kernel, folder / "run", silence_s=_SILENCE_S, progress=lambda _: None)
        show(scenario.read_text(encoding="utf-8").rstrip())
        more = "nothing more can be left out" if left.finished else "there were no more tries; more: --tries"
        say(f"testbed: {len(left.steps)} steps, {left.tries} runs; {more}")
        command = ["testbed", "run", str(scenario), "--seed", str(self._cell.seed)]
        say(f"testbed: captures: {folder / 'run'}; again: {shlex.join(command)}")
        say(f"testbed: judged: {shlex.join(['testbed', 'detect', str(folder / 'run'), '--detector', self._detector])}")
