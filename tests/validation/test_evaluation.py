"""A suite carried out: labels of lines, processes that fail, and what is there in the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import InputError
from testbed.validation.cells import Cell
from testbed.validation.evaluation import cell_called, evaluate, line_label, make_all, scored
from testbed.validation.keeping.store import Store
from tests.records.build import transfer
from tests.validation.cells import FREE, kept
from tests.validation.test_cells import SUITE

if TYPE_CHECKING:
    from pathlib import Path

RESET: dict[str, Any] = {"influences": [transfer()["influences"][0] | {"what": "reset", "effect": "ends"}]}


def cell(number: int) -> Cell:
    return Cell("development", "policed", number, "throttling/policed", (), number)


@pytest.mark.parametrize(
    ("transfers", "label"),
    [
        ([{"role": "target"}, {"role": "control", **FREE}], "throttled"),
        ([{"role": "target", **FREE}, {"role": "control", **FREE}], "not throttled"),
        ([{"role": "target"}, {"role": "target", **FREE}], "throttled"),
        ([{"role": "target", **FREE}, {"role": "target", **RESET}], "left out"),
        ([{"role": "target"}, {"role": "target", **RESET}], "throttled"),
        ([{"role": "target"}, {"role": "control"}], "left out"),
        ([{"role": "control", **FREE}], "left out"),
        ([{"role": "target", "line": "another"}, {"role": "target", **FREE}], "not throttled"),
        ([{"role": "collateral"}, {"role": "target", **FREE}], "not throttled"),
    ],
)
def test_a_line_has_the_label_of_its_targets(transfers: list[dict[str, Any]], label: str) -> None:
    made = [transfer(**{"line": "line", **each}) for each in transfers]
    assert line_label(made, "line") == label


def test_a_process_that_fails_costs_its_cell_alone() -> None:
    said: list[str] = []
    programs = {
        1: [sys.executable, "-c", ""],
        2: [sys.executable, "-c", "import sys; print('first', file=sys.stderr); sys.exit('no room')"],
        3: [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"],
        4: ["/there/is/no/such/program"],
    }
    cells = [cell(number) for number in programs]
    failed = make_all(cells, lambda each: programs[each.number], jobs=2, progress=said.append)
    assert set(failed) == {"policed/2", "policed/3", "policed/4"}
    assert failed["policed/2"] == "no room"
    assert failed["policed/3"] == "status -9"
    assert said[-1].startswith("4 of 4 runs made, 3 failed")


def test_what_is_there_is_read_from_the_store_and_not_from_what_processes_say(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept(store, "one")
    kept(store, "two", valid=False)
    (tmp_path / "cells" / "four").mkdir()
    (tmp_path / "cells" / "four" / "cell.json").write_text("{")
    keys = {"policed/1": "one", "policed/2": "two", "policed/3": "three", "policed/4": "four"}
    found = evaluate([cell(number) for number in range(1, 5)], keys, store, {"policed/1": "died", "policed/3": "died"})
    assert [each.cell.id for each in found.kept] == ["policed/1"]
    assert [(each.id, why) for each, why in found.invalid] == [("policed/2", "a clock ran late")]
    assert [each.id for each, _ in found.missing] == ["policed/3", "policed/4"]
    assert found.missing[0][1] == "died"
    assert found.missing[1][1] == "it was not made"


def test_a_verdict_is_scored_against_the_label_of_its_line(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (one,) = scored(kept(store, "k"), store, ["ooni"])
    assert (one.cell, one.detector, one.label, one.failed) == ("policed/1", "ooni", "throttled", False)
    both_throttled = [
        transfer(id="line/1", line="line", role="target"),
        transfer(id="line/2", line="line", role="control"),
    ]
    assert scored(kept(store, "l", transfers=both_throttled), store, ["ooni"]) == []


def test_a_cell_is_found_by_its_id() -> None:
    assert cell_called(SUITE, "x", "clean/3").number == 3
    with pytest.raises(InputError, match="--plan"):
        cell_called(SUITE, "x", "clean/4")
