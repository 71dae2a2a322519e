"""A suite carried out: every cell that is not in the store is made, each by a process of its own, and all are judged.

Threads wait for the processes; there are as many as the machine has processors, since a guest uses one. A process that
dies costs its cell and nothing else: what is there is read from the store, never from a process's answer.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.errors import InputError
from testbed.records.label import COUNTED, label
from testbed.validation.cells import cells_of, plan_cell
from testbed.validation.judging import judgements
from testbed.validation.running.work import make_cell
from testbed.validation.scoring.scores import Scored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from testbed.engine.kernel import KernelInfo
    from testbed.records.label import Label, Treatment
    from testbed.records.manifest import TransferSummary
    from testbed.validation.cells import Cell
    from testbed.validation.keeping.store import CellRecord, Store
    from testbed.validation.suite import Suite

__all__ = ["Evaluation", "Kept", "cell_called", "ensure", "evaluate", "make_all", "scored"]

Progress = Callable[[str], None]
_SECONDS_BETWEEN_LINES = 5.0
_LONGEST_CELL_S = 1800


@dataclass(frozen=True, slots=True)
class Kept:
    """A cell that is in the store."""

    cell: Cell
    key: str
    record: CellRecord


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of a suite.

    Attributes:
        kept: Cells that can be scored.
        invalid: Cells whose run must not be scored, with the reason.
        missing: Cells of which there is nothing, with what their process said.
    """

    kept: list[Kept]
    invalid: list[tuple[Cell, str]]
    missing: list[tuple[Cell, str]]


def cell_called(suite: Suite, held_out_seed: str, name: str) -> Cell:
    """Return a cell by its id, such as ``policed/3``.

    Raises:
        InputError: The suite has none.
    """
    for cell in cells_of(suite, held_out_seed):
        if cell.id == name:
            return cell
    raise InputError(f"no cell {name!r} in this suite; --plan lists them")


def ensure(cell: Cell, kernel: KernelInfo, store: Store, detectors: Sequence[str]) -> Kept:
    """Return a cell from the store, made and judged first where it is not there.

    Raises:
        TestbedError: It cannot be made.
    """
    key, plan = plan_cell(cell, kernel)
    record = store.cell(key) or make_cell(cell, key, plan, kernel, store)
    for _ in judgements(store, key, record, detectors):
        pass  # what is said is kept
    return Kept(cell, key, record)


def make_all(
    cells: Sequence[Cell], command: Callable[[Cell], list[str]], *, jobs: int, progress: Progress
) -> dict[str, str]:
    """Make cells, each by a process; return what those said that failed, by the cell's id.

    Args:
        cells: To be made.
        command: The command line that makes one.
        jobs: How many processes run at once.
        progress: Called with a line now and then.
    """
    failed: dict[str, str] = {}
    began = said = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_process, command(cell)): cell for cell in cells}
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                if (error := future.result()) is not None:
                    failed[waiting[future].id] = error
                now = time.monotonic()
                if now - said >= _SECONDS_BETWEEN_LINES or done == len(cells):
                    said = now
                    left_s = (now - began) / done * (len(cells) - done)
                    progress(f"{done} of {len(cells)} runs made, {len(failed)} failed, about {left_s:.0f} s left")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failed


def _process(command: list[str]) -> str | None:
    """Run a command; return what it complained of, or None."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LONGEST_CELL_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {_LONGEST_CELL_S} s"
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]


def this_program(*arguments: str) -> list[str]:
    """Return the command line of the testbed itself, as it runs now."""
    return [sys.executable, "-m", "testbed.cli", *arguments]


def evaluate(cells: Sequence[Cell], keys: Mapping[str, str], store: Store, failed: Mapping[str, str]) -> Evaluation:
    """Read from the store what there is of the cells, whatever was said of them.

    Args:
        cells: Of the suite.
        keys: By the cell's id.
        store: Where they are.
        failed: What processes complained of, by the cell's id.
    """
    found = Evaluation([], [], [])
    for cell in cells:
        record = store.cell(keys[cell.id])
        if record is None:
            found.missing.append((cell, failed.get(cell.id, "it was not made")))
        elif not record["valid"]:
            found.invalid.append((cell, "; ".join(record["problems"])))
        else:
            found.kept.append(Kept(cell, keys[cell.id], record))
    return found


def scored(
    kept: Kept, store: Store, detectors: Sequence[str], counted: Mapping[Treatment, Label] = COUNTED
) -> list[Scored]:
    """Return the verdicts on a cell with their labels; lines that are left out of scores are left out here."""
    return [
        Scored(
            kept.cell.part, kept.cell.condition, kept.cell.id, each.detector, truth, each.verdict["outcome"],
            failed="failed" in each.verdict,
        )
        for each in judgements(store, kept.key, kept.record, detectors)
        if (truth := line_label(kept.record["transfers"], each.line, counted)) != "left out"
    ]  # fmt: skip


def line_label(transfers: Sequence[TransferSummary], line: str, counted: Mapping[Treatment, Label] = COUNTED) -> Label:
    """Return the label of a line: of its targets, for they are what a detector is asked about.

    Throttled, if one of them is; left out, if none is and one is left out. A control that was throttled, too, leaves
    the line out: nobody could tell the target from it.
    """
    of_line = [each for each in transfers if each["line"] == line]
    if any(label(each, counted) == "throttled" for each in of_line if each["role"] == "control"):
        return "left out"
    found = {label(each, counted) for each in of_line if each["role"] == "target"}
    if "throttled" in found:
        return "throttled"
    return "left out" if "left out" in found or not found else "not throttled"
