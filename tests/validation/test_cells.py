"""Cells: their order, their seeds, and what their key depends on."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.errors import InputError, ScenarioError
from testbed.validation.cells import Cell, cell_called, cells_of, frontier_cells, plan_cell
from testbed.validation.suite import Suite

SUITE = Suite.model_validate(
    {
        "format": 1, "title": "t", "about": "a",
        "development": {
            "policed": {"scenario": "throttling/policed", "draws": 2, "settings": {"meter": "token_bucket"}},
        },
        "held_out": {"clean": {"scenario": "confounders/clean", "draws": 3}},
        "frontiers": {
            "rate": {
                "scenario": "throttling/policed", "axis": "lines.0.down", "from": 1, "to": 16, "unit": "Mbit/s",
                "scale": "logarithmic", "draws": 2, "steps": 3,
            },
        },
    }
)  # fmt: skip
KERNEL: Any = type("Kernel", (), {"hash": "abc"})()


def test_first_draws_come_first_and_seeds_of_development_are_small() -> None:
    cells = list(cells_of(SUITE, "x"))
    assert [cell.id for cell in cells] == ["clean/1", "policed/1", "clean/2", "policed/2", "clean/3"]
    assert [cell.seed for cell in cells if cell.part == "development"] == [1, 2]
    assert cells[1].settings == ("meter=token_bucket",)


def test_held_out_seeds_come_from_what_is_given_at_evaluation() -> None:
    def seeds(given: str) -> list[int]:
        return [cell.seed for cell in cells_of(SUITE, given) if cell.part == "held_out"]

    assert seeds("x") == seeds("x")
    assert not set(seeds("x")) & set(seeds("y"))
    assert all(seed > 1000 for seed in seeds("x"))


def test_a_key_depends_on_the_seed_the_settings_and_the_kernel_and_on_no_name() -> None:
    cell = Cell("development", "policed", 1, "throttling/policed", (), 1)
    key = plan_cell(cell, KERNEL)[0]
    other: Any = type("Kernel", (), {"hash": "abd"})()
    assert key == plan_cell(Cell("held_out", "another", 9, "throttling/policed", (), 1), KERNEL)[0]
    others = [
        plan_cell(Cell("development", "policed", 1, "throttling/policed", (), 2), KERNEL)[0],
        plan_cell(Cell("development", "policed", 1, "throttling/policed", ("meter=coarse_refill",), 1), KERNEL)[0],
        plan_cell(cell, other)[0],
    ]
    assert len({key, *others}) == 4


def test_a_cell_is_found_by_its_id() -> None:
    assert cell_called(SUITE, "x", "clean/3").number == 3
    with pytest.raises(InputError, match="--plan"):
        cell_called(SUITE, "x", "clean/4")
    assert cell_called(SUITE, "x", "rate@2.5/2").settings == ("lines.0.down=2.5 Mbit/s",)
    for name in ("rate@x/1", "rate@2/3", "other@2/1", "policed/1/twin", ""):
        with pytest.raises(InputError, match="--plan"):
            cell_called(SUITE, "x", name)


def test_a_frontier_has_the_same_draws_at_every_value() -> None:
    low, high = (list(frontier_cells(SUITE, "x", "rate", value)) for value in (1.0, 4.0))
    assert [cell.seed for cell in low] == [cell.seed for cell in high]
    assert len({cell.seed for cell in low}) == 2
    assert {cell.id for cell in low}.isdisjoint(cell.id for cell in high)
    assert {cell.part for cell in low} == {"frontier"}


def test_a_twin_follows_its_run_with_the_same_seed_and_another_key() -> None:
    condition = {"scenario": "throttling/policed", "draws": 2, "twins": 1}
    suite = SUITE.model_validate({"format": 1, "title": "t", "about": "a", "development": {"p": condition}})
    one, twin, other = cells_of(suite, "x")
    assert [each.id for each in (one, twin, other)] == ["p/1", "p/1/twin", "p/2"]
    assert one.seed == twin.seed
    assert cell_called(suite, "x", "p/1/twin") == twin
    keys = {plan_cell(each, KERNEL)[0] for each in (one, twin)}
    assert len(keys) == 2
    assert all(box["profile"] is None for box in plan_cell(twin, KERNEL)[1].data["boxes"].values())


def test_a_setting_that_a_scenario_has_no_place_for_is_told_with_its_condition() -> None:
    cell = Cell("development", "narrow", 1, "throttling/policed", ("measurements.0.sise=60 kB",), 1)
    with pytest.raises(ScenarioError, match=r"narrow/1, by the scenario .*policed.*measurements.0.sise: unknown key"):
        plan_cell(cell, KERNEL)
