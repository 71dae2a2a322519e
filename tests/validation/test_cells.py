"""Cells: their order, their seeds, and what their key depends on."""

from __future__ import annotations

from typing import Any

from testbed.validation.cells import Cell, cells_of, plan_cell
from testbed.validation.suite import Suite

SUITE = Suite.model_validate(
    {
        "format": 1, "title": "t", "about": "a",
        "development": {
            "policed": {"scenario": "throttling/policed", "draws": 2, "settings": {"meter": "token_bucket"}},
        },
        "held_out": {"clean": {"scenario": "confounders/clean", "draws": 3}},
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
