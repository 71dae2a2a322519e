"""A tidy table has a row a transfer and the same columns in every row, whatever the runs are like."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import InputError, RecordError
from testbed.report.tidy import COLUMNS, tidy_rows, write_table
from tests.records.build import transfer, write_run

if TYPE_CHECKING:
    from pathlib import Path


def verdict(detector: str, subject: str, outcome: str) -> dict[str, object]:
    return {
        "detector": detector, "version": "1", "subject": subject, "outcome": outcome, "score": None, "rate_bps": None,
        "burst_bytes": None, "mechanism": None, "content_specific": None, "onset_s": None, "why": "", "details": {},
    }  # fmt: skip


def test_a_row_has_run_transfer_truth_and_verdicts(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    run.keep_verdicts([verdict("pd", transfer()["id"], "throttled")])  # type: ignore[list-item]
    [row] = tidy_rows([run.path])
    assert list(row) == [*COLUMNS, "verdict_pd"]
    assert (row["run"], row["seed"], row["valid"]) == (str(run.path), 7, True)
    assert (row["id"], row["truth_throttled"], row["verdict_pd"]) == (transfer()["id"], True, "throttled")


def test_every_row_has_the_columns_of_all_runs(tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "first"), write_run(tmp_path / "second")
    second.keep_verdicts([verdict("wehe", transfer()["id"], "inconclusive")])  # type: ignore[list-item]
    rows = tidy_rows([first.path, second.path])
    assert [row["verdict_wehe"] for row in rows] == [None, "inconclusive"]
    assert [list(row) for row in rows] == [[*COLUMNS, "verdict_wehe"]] * 2


def test_an_invalid_run_is_in_the_table_and_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", valid=False, problems=["the guest was starved"])
    assert [row["valid"] for row in tidy_rows([run.path])] == [False]


def test_csv_can_be_read_back(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run, with a comma")
    rows = tidy_rows([run.path])
    text = write_table(rows, "csv", None)
    assert text is not None
    [read] = csv.DictReader(io.StringIO(text))
    assert read["run"] == str(run.path)
    assert read["valid"] == "true"
    assert read["truth_published"] == ""
    assert float(read["goodput_bps"]) == rows[0]["goodput_bps"]


def test_json_is_a_list_of_rows_and_goes_into_a_file(tmp_path: Path) -> None:
    rows = tidy_rows([write_run(tmp_path / "run").path])
    assert write_table(rows, "json", tmp_path / "rows.json") is None
    assert json.loads((tmp_path / "rows.json").read_text()) == rows
    with pytest.raises(InputError, match="choose another file with -o"):
        write_table(rows, "json", tmp_path / "nowhere" / "rows.json")


def test_without_rows_a_table_still_has_its_head() -> None:
    assert write_table([], "csv", None) == ",".join(COLUMNS) + "\n"


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="is no run directory"):
        tidy_rows([tmp_path])


@pytest.mark.parametrize(
    "changes",
    [{"transfers": [7]}, {"transfers": None}, {"start_ns": "soon"}, {"start_ns": 10**40}],
    ids=["a transfer", "transfers", "a start", "a start too large"],
)
def test_a_manifest_that_holds_something_else_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", **changes)
    with pytest.raises(RecordError, match="a record lacks a key, or holds another kind of value"):
        tidy_rows([run.path])


def test_texts_of_strangers_reach_a_spreadsheet_as_texts(tmp_path: Path) -> None:
    named = transfer(name="=HYPERLINK(1)", sni="half \ud800 of a pair", goodput_bps=float("nan"))
    run = write_run(tmp_path / "run", transfers=[named])
    rows = tidy_rows([run.path])
    text = write_table(rows, "csv", None)
    assert text is not None
    [read] = csv.DictReader(io.StringIO(text))
    assert (read["name"], read["sni"], read["goodput_bps"]) == ("'=HYPERLINK(1)", "half \\ud800 of a pair", "")
    assert write_table(rows, "csv", tmp_path / "table.csv") is None
    assert json.loads(write_table(rows, "json", None) or "")[0]["name"] == "=HYPERLINK(1)"
