"""The table after a run is understood at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.report.table import format_table, transfer_table
from tests.records.build import FREE, INFLUENCE, manifest, transfer

QUOTA = INFLUENCE | {"what": "byte_quota", "effect": "ends"}


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert format_table(("name", "rate"), [("a", "10"), ("longer", "5")], right=frozenset({1})) == (
        "name    rate\n──────  ────\na         10\nlonger     5"
    )


def test_a_table_without_rows_has_its_head() -> None:
    assert format_table(("a", "b"), []) == "a  b\n─  ─"


def test_a_line_is_named_once_and_lines_stand_apart() -> None:
    transfers = [transfer(), transfer(name="second"), transfer(line="landline", throttled=False)]
    rows = transfer_table(manifest(transfers=transfers)).splitlines()[2:6]
    assert [row.split("  ")[0] for row in rows] == ["mobile", "", "", "landline"]


@pytest.mark.parametrize(
    ("changes", "cells"),
    [
        ({}, "4 kbit/s 4.0 s THROTTLED by twimg.com, 1 packets dropped"),
        (
            {"throttled": False, "action": "byte_quota", "influences": [QUOTA]},
            "ENDED by twimg.com (byte_quota), 1 packets dropped",
        ),
        (FREE, "4 kbit/s 4.0 s not throttled"),
        (FREE | {"ok": False, "error": "timed out", "duration_s": None}, "failed – timed out"),
    ],
)
def test_a_transfer_has_its_speed_and_its_ground_truth(changes: dict[str, object], cells: str) -> None:
    assert cells in " ".join(transfer_table(manifest(transfers=[transfer(**changes)])).split())


def test_the_summary_counts_what_was_throttled_and_how_fast_it_went() -> None:
    table = transfer_table(manifest(transfers=[transfer(), transfer(throttled=False)]))
    assert "1 of 2 transfers throttled (ground truth); seed 7" in table
    assert "290 emulated seconds in 5.8 s (50 times real time)" in table
    assert table.endswith(
        "valid:\n  network as planned\n  log and captures agree on all 1 drops\n  the clock was not checked"
    )


def test_an_invalid_run_says_so_last_with_every_problem() -> None:
    table = transfer_table(manifest(valid=False, problems=["starved", "lost 3 packets"]))
    assert table.endswith("INVALID, do not score this run:\n  starved\n  lost 3 packets")


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_no_cell_leaves_its_line(rows: list[tuple[str, str]]) -> None:
    table = format_table(("a", "b"), rows)
    assert len(table.split("\n")) == 2 + len(rows)
    assert "\x1b" not in table


def test_many_transfers_that_repeat_one_another_are_counted() -> None:
    transfers = [transfer() for _ in range(60)] + [transfer(throttled=False)]
    rows = transfer_table(manifest(transfers=transfers)).splitlines()
    assert rows[2].split()[-7:] == ["61", "61", "60", "4", "kbit/s", "4.0", "s"]
    assert rows[3] == "(each transfer: --json, or testbed table RUN)"


def test_sixty_transfers_are_each_told() -> None:
    rows = transfer_table(manifest(transfers=[transfer() for _ in range(60)])).split("\n\n", 1)[0].splitlines()
    assert len(rows) == 62
