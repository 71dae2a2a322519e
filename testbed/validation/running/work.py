"""Making a cell: run it in a folder of its own, keep what detectors are given and what is true, and drop the rest."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from testbed.detectors.sources.observation_json import observation_to_json
from testbed.detectors.sources.observe import observe
from testbed.engine.run import run_plan
from testbed.errors import InvalidRunError
from testbed.validation.keeping.aside import work_folder
from testbed.validation.keeping.store import FORMAT
from testbed.validation.truth import limits

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.detectors.observation import Observation
    from testbed.engine.kernel import KernelInfo
    from testbed.records.manifest import Manifest
    from testbed.scenario.plan import Plan
    from testbed.validation.cells import Cell
    from testbed.validation.keeping.store import CellRecord, Store

__all__ = ["make_cell", "run_cell"]

_SILENCE_S = 300.0
_TRIES = 2  # a run that is invalid is made once more; one that is so again is told, and not scored


def make_cell(cell: Cell, key: str, plan: Plan, kernel: KernelInfo, store: Store) -> CellRecord:
    """Run a cell and keep what came of it; return the record.

    A run that is invalid twice is kept as such, without observations.

    Raises:
        TestbedError: The run cannot be made on this machine.
    """
    for _ in range(_TRIES):
        with work_folder(store.path / "work") as work:
            record, observations = run_cell(cell, plan, kernel, work / "run")
        if record["valid"]:
            break
    store.keep_cell(key, record, observations)
    return record


def run_cell(cell: Cell, plan: Plan, kernel: KernelInfo, folder: Path) -> tuple[CellRecord, dict[str, str]]:
    """Run a cell in a folder; return the record, and by line what a detector is given, as JSON.

    Raises:
        TestbedError: The run cannot be made on this machine.
    """
    try:
        manifest = run_plan(plan, kernel, folder, silence_s=_SILENCE_S, progress=lambda _: None)
    except InvalidRunError as error:
        return _record(cell, None, [str(error)]), {}
    record = _record(cell, manifest, manifest["problems"])
    record["limits"] = limits(plan, record["transfers"])
    return record, _observations(folder) if record["valid"] else {}


def _record(cell: Cell, manifest: Manifest | None, problems: list[str]) -> CellRecord:
    settings = " ".join(f"--set {shlex.quote(setting)}" for setting in cell.settings)
    words = ["testbed run", shlex.quote(cell.scenario), settings, f"--seed {cell.seed}", "--twin" if cell.twin else ""]
    return {
        "format": FORMAT,
        "scenario": cell.scenario,
        "settings": list(cell.settings),
        "seed": cell.seed,
        "twin": cell.twin,
        "valid": manifest is not None and manifest["valid"],
        "problems": problems,
        "transfers": [] if manifest is None else manifest["transfers"],
        "limits": {},
        "observations": {},
        "replay": " ".join(word for word in words if word),
    }


def _observations(folder: Path) -> dict[str, str]:
    """Return what a measurer on each line would have, by line: targets and controls of that line alone."""
    whole = observe([folder])
    lines = dict.fromkeys(transfer.labels.get("line", "") for transfer in whole.transfers)
    return {line: observation_to_json(_of_line(whole, line)) for line in lines}


def _of_line(whole: Observation, line: str) -> Observation:
    transfers = tuple(each for each in whole.transfers if each.labels.get("line", "") == line)
    # Where the run lay is no part of what was measured, and must not make two equal observations different.
    return replace(whole, transfers=transfers, source="cell", notes=())
