"""`table`: rows of runs on standard output or in a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.program import status
from tests.records.build import write_run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_table_is_csv_unless_asked_otherwise(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = str(write_run(tmp_path / "run").path)
    assert status("table", run) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.startswith("run,scenario,seed,engine,date,valid,id,")
    assert row.startswith(f"{run},")
    assert status("table", run, run, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_a_table_goes_where_it_is_sent(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = str(write_run(tmp_path / "run").path)
    assert status("table", run, "-o", str(tmp_path / "table.csv")) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "table.csv").read_text().count("\n") == 2


def test_what_is_no_run_ends_with_status_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert status("table", str(tmp_path)) == 2
    assert "is no run directory" in capsys.readouterr().err
