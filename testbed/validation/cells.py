"""Cells: the single runs of a suite. A cell's key names all that its bytes depend on, and no detector."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from testbed.engine.judge.fingerprint import plan_fingerprint, world_fingerprint
from testbed.engine.twin import require_a_twin
from testbed.errors import InputError, ScenarioError
from testbed.quantities import shown
from testbed.records.plan import LAST_SEED
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from testbed.engine.kernel import KernelInfo
    from testbed.records.manifest import WorldFingerprint
    from testbed.scenario.plan import Plan
    from testbed.validation.suite import Part, Suite

__all__ = ["Cell", "cell_called", "cells_of", "frontier_cells", "plan_cell"]

ENGINE = "virtual"
_AT, _TWIN = "@", "/twin"


@dataclass(frozen=True, slots=True)
class Cell:
    """One run that is to be judged.

    Attributes:
        part: Development or held out; or a frontier, whose cells are in no part.
        condition: Its name in the suite; of a frontier the frontier's, with the value on its axis.
        number: Which of its draws it is, from 1.
        scenario: Of the condition.
        settings: ``key=value`` each.
        seed: Of the run.
        twin: Whether all boxes are cables: the same run, as it would have been without a censor.
    """

    part: Part | Literal["frontier"]
    condition: str
    number: int
    scenario: str
    settings: tuple[str, ...]
    seed: int
    twin: bool = False

    @property
    def id(self) -> str:
        """What people call it: the condition and the number of the draw."""
        return f"{self.condition}/{self.number}{_TWIN if self.twin else ''}"


def cells_of(suite: Suite, held_out_seed: str) -> Iterator[Cell]:
    """Yield the cells of a suite, without those of its frontiers, which are found on the way.

    The first draws of all conditions come first, then the second ones: whoever stops early has a little of each.

    Args:
        suite: What is asked.
        held_out_seed: From which the seeds of held-out conditions are derived.
    """
    conditions = list(suite.conditions())
    for number in range(1, max((condition.draws for _, _, condition in conditions), default=0) + 1):
        for part, name, condition in conditions:
            if number <= condition.draws:
                seed = number if part == "development" else _held_out(held_out_seed, name, number)
                cell = Cell(part, name, number, condition.scenario, _settings(condition.settings), seed)
                yield cell
                # Right behind its run, so that whoever stops early has whole pairs.
                if number <= condition.twins:
                    yield replace(cell, twin=True)


def frontier_cells(suite: Suite, held_out_seed: str, name: str, value: float) -> Iterator[Cell]:
    """Yield the cells at one value of a frontier's axis.

    Draws have the same seeds at every value: what differs between values is the value.

    Args:
        suite: What is asked.
        held_out_seed: From which the seeds are derived.
        name: Of the frontier.
        value: On its axis.
    """
    frontier = suite.frontiers[name]
    settings = (*_settings(frontier.settings), f"{frontier.axis}={frontier.written(value)}")
    for number in range(1, frontier.draws + 1):
        seed = _held_out(held_out_seed, name, number)
        yield Cell("frontier", f"{name}{_AT}{value:.9g}", number, frontier.scenario, settings, seed)


def cell_called(suite: Suite, held_out_seed: str, name: str) -> Cell:
    """Return a cell by its id, such as ``policed/3``, ``policed/3/twin`` or ``rate@2.5/1``.

    Raises:
        InputError: The suite has none.
    """
    frontier, at, rest = name.partition(_AT)
    if at and frontier in suite.frontiers:
        with contextlib.suppress(ValueError):
            for cell in frontier_cells(suite, held_out_seed, frontier, float(rest.partition("/")[0])):
                if cell.id == name:
                    return cell
    for cell in cells_of(suite, held_out_seed):
        if cell.id == name:
            return cell
    raise InputError(f"no cell {shown(name)} in this suite; --plan lists them")


def _settings(settings: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in settings.items())


def _held_out(held_out_seed: str, condition: str, number: int) -> int:
    lot = f"held out {held_out_seed} {condition} {number}"
    return 1 + int.from_bytes(hashlib.sha256(lot.encode()).digest()[:8], "big") % LAST_SEED


def plan_cell(cell: Cell, kernel: KernelInfo) -> tuple[str, Plan]:
    """Return a cell's key and its plan.

    Raises:
        ScenarioError: Its scenario, or what the suite sets in it, cannot be used.
    """
    try:
        plan = make_plan(
            library.find("scenarios", cell.scenario), list(cell.settings), seed=cell.seed, engine=ENGINE, command=None
        )
    except ScenarioError as error:
        raise ScenarioError(
            f"{cell.id}, by the scenario {shown(cell.scenario)} and the suite's settings: {error}"
        ) from None
    if cell.twin:
        require_a_twin(plan)
        plan = plan.without_boxes()
    # The fingerprint of the plan with that of the world, which is the same for all: it costs more than the plan.
    depends_on = json.dumps({**plan_fingerprint(plan), **_world(kernel)}, sort_keys=True)
    return hashlib.sha256(depends_on.encode()).hexdigest()[:32], plan


@cache
def _world(kernel: KernelInfo) -> WorldFingerprint:
    return world_fingerprint(kernel)
