"""Cells: the single runs of a suite. A cell's key names all that its bytes depend on, and no detector."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.engine.judge.fingerprint import fingerprint
from testbed.records.plan import LAST_SEED
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.engine.kernel import KernelInfo
    from testbed.scenario.plan import Plan
    from testbed.validation.suite import Condition, Part, Suite

__all__ = ["Cell", "cells_of", "plan_cell"]

ENGINE = "virtual"


@dataclass(frozen=True, slots=True)
class Cell:
    """One run that is to be judged.

    Attributes:
        part: Development or held out.
        condition: Its name in the suite.
        number: Which of its draws it is, from 1.
        scenario: Of the condition.
        settings: ``key=value`` each.
        seed: Of the run.
    """

    part: Part
    condition: str
    number: int
    scenario: str
    settings: tuple[str, ...]
    seed: int

    @property
    def id(self) -> str:
        """What people call it: the condition and the number of the draw."""
        return f"{self.condition}/{self.number}"


def cells_of(suite: Suite, held_out_seed: str) -> Iterator[Cell]:
    """Yield the cells of a suite.

    The first draws of all conditions come first, then the second ones: whoever stops early has a little of each.

    Args:
        suite: What is asked.
        held_out_seed: From which the seeds of held-out conditions are derived.
    """
    conditions = list(suite.conditions())
    for number in range(1, max(condition.draws for _, _, condition in conditions) + 1):
        for part, name, condition in conditions:
            if number <= condition.draws:
                seed = number if part == "development" else _held_out(held_out_seed, name, number)
                yield Cell(part, name, number, condition.scenario, _settings(condition), seed)


def _settings(condition: Condition) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in condition.settings.items())


def _held_out(held_out_seed: str, condition: str, number: int) -> int:
    lot = f"held out {held_out_seed} {condition} {number}"
    return 1 + int.from_bytes(hashlib.sha256(lot.encode()).digest()[:8], "big") % LAST_SEED


def plan_cell(cell: Cell, kernel: KernelInfo) -> tuple[str, Plan]:
    """Return a cell's key and its plan.

    Raises:
        ScenarioError: Its scenario cannot be used.
    """
    plan = make_plan(
        library.find("scenarios", cell.scenario), list(cell.settings), seed=cell.seed, engine=ENGINE, command=None
    )
    depends_on = json.dumps(fingerprint(plan, kernel), sort_keys=True)
    return hashlib.sha256(depends_on.encode()).hexdigest()[:32], plan
