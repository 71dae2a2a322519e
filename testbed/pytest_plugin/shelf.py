"""Runs and cells that tests ask for: made once, kept in the store of `testbed validate`, and found by key afterwards.

Several sessions may use one store at the same time, those of pytest-xdist's workers, too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from testbed.api import Result, plan_of
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.detectors.sources.observe import observe
from testbed.engine.engine import ENGINES
from testbed.engine.judge.fingerprint import fingerprint
from testbed.engine.run import run_plan
from testbed.errors import InputError, InvalidRunError, RecordError
from testbed.records.run import RunDirectory
from testbed.validation.cells import ENGINE
from testbed.validation.defaults import default_store
from testbed.validation.evaluation import ensure
from testbed.validation.keeping.aside import work_folder
from testbed.validation.keeping.folders import find_folder, forget_folder, keep_folder
from testbed.validation.keeping.store import Store
from testbed.validation.truth import line_label

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed.detectors.observation import Observation
    from testbed.engine.kernel import KernelInfo
    from testbed.records.label import Label
    from testbed.validation.cells import Cell

__all__ = ["LabelledCell", "LabelledLine", "Shelf"]

_SILENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class LabelledLine:
    """A line of a run: what a detector is given, and what it should say.

    Attributes:
        name: Of the line.
        observation: Targets and controls of this line alone.
        label: ``throttled`` or ``not throttled``, from the ground truth of the run.
    """

    name: str
    observation: Observation
    label: Label


@dataclass(frozen=True, slots=True)
class LabelledCell:
    """A run of a suite.

    Attributes:
        id: Condition and number of the draw, such as ``policed/3``.
        condition, part: As the suite has them.
        seed: Of the run.
        lines: Those that have a label.
        left_out: Names of those that have none (docs/reference/labels.md).
        replay: The command that makes the run again.
    """

    id: str
    condition: str
    part: str
    seed: int
    lines: tuple[LabelledLine, ...]
    left_out: tuple[str, ...]
    replay: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """A store, and the kernel on which what is not there is made.

    Attributes:
        store: Of `testbed validate`; whole runs are in its folder ``runs``.
        kernel: Of the guest.
    """

    store: Store
    kernel: KernelInfo

    @classmethod
    def at(cls, path: Path | None) -> Shelf:
        """Return the shelf in a folder; None: in the user's cache.

        Raises:
            MissingError: There is no kernel, and it cannot be built here.
        """
        store = Store((path or default_store()).resolve())
        return cls(store, ENGINES[ENGINE].prepare(lambda _: None))

    def cell(self, cell: Cell) -> LabelledCell:
        """Return a run of a suite.

        Raises:
            InvalidRunError: It must not be scored.
        """
        kept = ensure(cell, self.kernel, self.store, ())
        if not kept.record["valid"]:
            raise InvalidRunError(f"{cell.id}: do not score this run: {'; '.join(kept.record['problems'])}")
        labels = {line: line_label(kept.record["transfers"], line) for line in kept.record["observations"]}
        lines = tuple(
            LabelledLine(line, observation_from_json(self.store.observation(kept.key, digest)), labels[line])
            for line, digest in kept.record["observations"].items()
            if labels[line] != "left out"
        )
        left_out = tuple(line for line, label in labels.items() if label == "left out")
        return LabelledCell(
            cell.id, cell.condition, cell.part, cell.seed, lines, left_out, kept.record["replay"]
        )  # fmt: skip

    def run(
        self, scenario: str | Path | Mapping[str, object], seed: int, settings: Mapping[str, object] | None
    ) -> Result:
        """Return a run of a scenario; its folder is the store's, and is not to be changed.

        Raises:
            InvalidRunError: It must not be scored.
        """
        plan = plan_of(scenario, settings=settings, seed=seed, engine=ENGINE)
        # The name is not among what the bytes depend on, but stands in the manifest that a test may look at.
        depends_on = json.dumps([plan.name, fingerprint(plan, self.kernel)], sort_keys=True)
        key = hashlib.sha256(depends_on.encode()).hexdigest()[:32]
        if (place := find_folder(self.store, "runs", key)) is not None:
            if _is_whole(place):
                return Result(place)
            forget_folder(self.store, place)  # somebody has damaged it
        with work_folder(self.store.path / "work") as work:
            folder = work / "run"
            manifest = run_plan(plan, self.kernel, folder, silence_s=_SILENCE_S, progress=lambda _: None)
            if not manifest["valid"]:
                raise InvalidRunError(f"{plan.name}: do not score this run: {'; '.join(manifest['problems'])}")
            return Result(keep_folder(self.store, "runs", key, folder))

    def observation(
        self,
        scenario: str | Path | Mapping[str, object],
        seed: int,
        settings: Mapping[str, object] | None,
        line: str | None,
    ) -> Observation:
        """Return what a measurer would have of a run, on all lines or on one.

        Raises:
            InputError: The run has no such line.
        """
        found = observe([self.run(scenario, seed, settings).path])
        if line is None:
            return found
        there = {transfer.labels.get("line", "") for transfer in found.transfers}
        if line not in there:
            raise InputError(f"no line {line!r} in this run; there are: {', '.join(sorted(there))}")
        transfers = tuple(each for each in found.transfers if each.labels.get("line") == line)
        return replace(found, transfers=transfers)


def _is_whole(place: Path) -> bool:
    try:
        return RunDirectory.open(place).manifest().get("valid", False)
    except RecordError:
        return False
