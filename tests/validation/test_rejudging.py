"""Missing verdicts of many cells are made by several processes, and are those that one process makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.validation.judging import judgements, known_digest
from testbed.validation.keeping.store import Store
from testbed.validation.rejudging import judge_missing
from tests.validation.cells import kept

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["ooni", "joint"]


def test_what_is_missing_is_asked_for_and_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    cells = [kept(store, f"k{number}") for number in range(5)]
    assert judge_missing(cells, store, NAMES, jobs=2, least=1) == 5
    alone = Store(tmp_path / "alone")
    for cell in cells:
        known = [known_digest(name) for name in NAMES]
        (seen,) = cell.record["observations"].values()
        found = [store.verdict(seen, digest) for digest in known]
        kept(alone, cell.key)
        assert found == [each.verdict for each in judgements(alone, cell.key, cell.record, NAMES)]
    assert judge_missing(cells, store, NAMES, jobs=2, least=1) == 0


@pytest.mark.parametrize(("jobs", "least"), [(1, 1), (2, 6)])
def test_one_process_and_few_cells_are_left_to_who_asks(tmp_path: Path, jobs: int, least: int) -> None:
    store = Store(tmp_path)
    cells = [kept(store, f"k{number}") for number in range(5)]
    assert judge_missing(cells, store, NAMES, jobs=jobs, least=least) == 0
    assert not store.verdict_paths()


def test_a_program_tried_inside_the_network_is_not_asked(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert judge_missing([kept(store, "k")], store, ["run:./tool {target}"], jobs=2, least=1) == 0


def test_what_cannot_be_judged_costs_no_other_cell(tmp_path: Path) -> None:
    """Who asks next is told: here nothing is said, and nothing raised."""
    store = Store(tmp_path)
    cells = [kept(store, f"k{number}") for number in range(3)]
    (seen,) = cells[1].record["observations"].values()
    store.observation_path(cells[1].key, seen).write_bytes(b"no gzip")
    program = tmp_path / "deadly"  # ends the process that asks it
    program.write_text('#!/bin/sh\nkill -9 "$PPID"\n')
    program.chmod(0o700)
    assert judge_missing(cells, store, ["ooni"], jobs=2, least=1) == 3
    assert len(store.verdict_paths()) == 1  # the observations of all three cells are one
    assert judge_missing(cells[:1], store, [f"exec:{program}"], jobs=2, least=1) == 1
    assert len(store.verdict_paths()) == 1
