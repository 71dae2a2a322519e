"""A suite carried out: every cell that is not in the store is made, and all are judged.

A process that dies costs its cell and nothing else: what is there is read from the store, never from an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from testbed.records.label import COUNTED
from testbed.validation.cells import plan_cell
from testbed.validation.judging import judgements, kept_under
from testbed.validation.running.work import make_cell
from testbed.validation.scoring.scores import Scored
from testbed.validation.truth import line_truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from testbed.engine.kernel import KernelInfo
    from testbed.records.label import Label, Treatment
    from testbed.validation.cells import Cell
    from testbed.validation.keeping.store import CellRecord, Store

__all__ = ["Evaluation", "Kept", "ensure", "evaluate", "forget_for_retry", "scored"]


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


def forget_for_retry(
    store: Store, keys: Iterable[str], detectors: Sequence[str], which: Literal["invalid", "failed"]
) -> None:
    """Forget what is to be tried again.

    Args:
        store: Where it is.
        keys: Of cells.
        detectors: That are to be asked.
        which: ``invalid``: runs that must not be scored. ``failed``: verdicts of detectors that broke.
    """
    for key in keys:
        record = store.cell(key)
        if record is None:
            continue
        if which == "invalid" and not record["valid"]:
            store.forget_cell(key)
        if which == "failed":
            for (line, digest), name in product(record["observations"].items(), detectors):
                place = kept_under(key, line, digest, name)
                verdict = store.verdict(*place)
                if verdict is not None and "failed" in verdict:
                    store.forget_verdict(*place)


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
    """Return the verdicts on a cell with what is true; lines that are left out of scores are left out here."""
    cell, record = kept.cell, kept.record
    part = "twin" if cell.twin else cell.part
    found = []
    for each in judgements(store, kept.key, record, detectors):
        truth = line_truth(record["transfers"], record["limits"], each.line, counted)
        if truth.label != "left out":
            found.append(
                Scored(part, cell.condition, cell.id, each.line, each.observation, each.detector, truth, each.verdict)
            )
    return found
