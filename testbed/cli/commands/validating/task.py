"""What the command line of `validate` asks for, and the cells of it, made where they are not there."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import testbed
from testbed.cli.progress import say
from testbed.detectors.registry import BUILT_IN
from testbed.engine.engine import ENGINES
from testbed.errors import InputError, MissingError
from testbed.records.label import parse_counts
from testbed.validation.cells import ENGINE, cell_called, plan_cell
from testbed.validation.checkers.checker import refuse_unusable
from testbed.validation.checkers.trial import is_judged_by
from testbed.validation.defaults import default_held_out_seed, default_store
from testbed.validation.evaluation import ensure, scored
from testbed.validation.judging import known_digest
from testbed.validation.keeping.store import Store
from testbed.validation.rejudging import judge_missing
from testbed.validation.running.carriers import Threads, carry_all
from testbed.validation.running.worker import this_program
from testbed.validation.scoring.baseline import read_baseline
from testbed.validation.scoring.gates import Gates, read_gates
from testbed.validation.suite import find_suite, load_suite

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from testbed.engine.kernel import KernelInfo
    from testbed.records.label import Label, Treatment
    from testbed.validation.cells import Cell
    from testbed.validation.evaluation import Kept
    from testbed.validation.running.carriers import Carrier
    from testbed.validation.scoring.baseline import Baseline
    from testbed.validation.scoring.scores import Scored
    from testbed.validation.suite import Suite

__all__ = ["Task"]

_PROJECT = Path("pyproject.toml")


@dataclass(frozen=True, slots=True)
class Task:
    """What the command line asks for.

    Attributes:
        named: The detectors that were named; ``detectors`` has all that are asked.
        baseline: To compare with, from a file; None: none, or from ``baseline_ref``.
        baseline_ref: A commit whose detectors are asked.
        gates: Of the project in whose folder the command runs.
    """

    arguments: argparse.Namespace
    path: Path
    suite: Suite
    held_out_seed: str
    named: tuple[str, ...]
    detectors: tuple[str, ...]
    counted: dict[Treatment, Label]
    kernel: KernelInfo
    store: Store
    baseline: Baseline | None
    baseline_ref: str | None
    gates: Gates

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Task:
        """Read what is asked for, before anything is made."""
        path = find_suite(arguments.suite)
        refuse_unusable(arguments.detector)
        suite = load_suite(path)
        baseline, ref = _baseline(arguments.baseline)
        named = tuple(dict.fromkeys(arguments.detector))
        return cls(
            arguments,
            path,
            suite,
            _held_out_seed(arguments.held_out_seed, baseline),
            named,
            _known(named or tuple(dict.fromkeys(suite.detectors)) or BUILT_IN),
            parse_counts(arguments.counts),
            ENGINES[ENGINE].prepare(say),
            Store((arguments.store or default_store()).resolve(), lambda text: say(f"testbed: {text}")),
            baseline,
            ref,
            _gates(arguments.gates, arguments.suite, named),
        )

    def cell(self, name: str) -> Kept:
        """Return one cell, made and judged if need be."""
        return ensure(cell_called(self.suite, self.held_out_seed, name), self.kernel, self.store, self.detectors)

    def key(self, cell: Cell) -> str:
        """Return a cell's key."""
        return plan_cell(cell, self.kernel)[0]

    def is_made(self, key: str) -> bool:
        """Return whether nothing has to be run for a cell: neither the cell itself nor a checker."""
        record = self.store.cell(key)
        return record is not None and is_judged_by(self.store, key, record, self.detectors)

    def carrier(self) -> Carrier:
        """Return what has cells made."""
        if self.arguments.scheduler is None:
            return Threads(self.arguments.jobs, this_program)
        try:
            dask = import_module("testbed.validation.running.dask")
        except ImportError as error:
            raise MissingError("--scheduler needs Dask; run: pip install 'throttling-testbed[cluster]'") from error
        carrier: Carrier = dask.DaskCluster(self.arguments.scheduler)
        return carrier

    def make(self, cells: Sequence[Cell]) -> dict[str, str]:
        """Have cells made; return what went wrong, by the cell's id."""
        if not cells:
            return {}
        arguments = ["validate", str(self.path.resolve()), "--cell", "-", "--store", str(self.store.path)]
        arguments += ["--held-out-seed", self.held_out_seed]
        arguments += [word for name in self.detectors for word in ("--detector", name)]
        ids = [cell.id for cell in cells]
        return carry_all(ids, self.carrier(), arguments, progress=lambda text: say(f"testbed: {text}"))

    def scored(self, kept: Iterable[Kept]) -> list[Scored]:
        """Return the verdicts on cells, with what is true."""
        every = list(kept)
        judge_missing(every, self.store, self.detectors, jobs=self.arguments.jobs)
        return [each for one in every for each in scored(one, self.store, self.detectors, self.counted)]


def _known(detectors: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a detector that is not there now, and not after hundreds of runs."""
    for name in detectors:
        known_digest(name)
    return detectors


def _baseline(named: str | None) -> tuple[Baseline | None, str | None]:
    if named is None:
        return None, None
    if Path(named).is_file():
        return read_baseline(Path(named)), None
    if named.endswith(".json") or ("/" in named and not Path(testbed.__file__).parent.parent.joinpath(".git").exists()):
        raise InputError(f"--baseline {named}: there is no such file; --write-baseline makes one")
    return None, named


def _held_out_seed(given: str | None, baseline: Baseline | None) -> str:
    if baseline is None:
        if given is not None and not given.strip():
            raise InputError("--held-out-seed: expected a text, got an empty one; leave the option out for the default")
        return given or default_held_out_seed()
    if given is not None and given != baseline["held_out_seed"]:
        raise InputError(
            f"--held-out-seed {given}: the baseline's is {baseline['held_out_seed']}, and other seeds are other runs; "
            "leave the option out"
        )
    return baseline["held_out_seed"]


def _gates(path: Path | None, suite: str, named: tuple[str, ...]) -> Gates:
    """Return the gates that are asked for; whoever names a file of them wants them to be looked at."""
    if path is None and not _PROJECT.is_file():
        return Gates()
    gates = read_gates(path or _PROJECT)
    if path is not None and gates == Gates():
        raise InputError(f"--gates {path}: it has no table [tool.testbed.gates] with a gate")
    if gates.suite not in {None, suite}:
        told = f"the gates of {path or _PROJECT} are meant for the suite {gates.suite!r}, not for {suite!r}"
        if path is not None:
            raise InputError(f"--gates: {told}; 'suite' says it as the command line does, or leave it out")
        say(f"testbed: {told}: none is looked at")
    for bound in gates.bounds:
        known_digest(bound.detector)  # a misspelt one would never be looked at
    return gates.for_task(suite, named)
