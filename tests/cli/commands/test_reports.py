"""`report`: the files that it wrote, and what keeps it from writing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import status
from tests.records.build import write_run

if TYPE_CHECKING:
    from tests.cli.program import Call


@pytest.mark.parametrize("arguments", [["report", "{run}", "-o", "{file}/x"], ["report", "{run}", "-o", "{file}"]])
def test_a_report_that_cannot_be_written_is_an_error_and_no_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str]
) -> None:
    write_run(tmp_path / "run")
    (tmp_path / "file").touch()
    arguments = [*arguments, "--even-if-invalid"]  # a run made by hand has no captures
    assert status(*(each.format(run=tmp_path / "run", file=tmp_path / "file") for each in arguments)) == 2
    assert f"testbed: cannot write to {tmp_path / 'file'}" in capsys.readouterr().err


@pytest.mark.parametrize("state", ["running", "incomplete"])
def test_a_run_that_died_has_no_report(capsys: pytest.CaptureFixture[str], tmp_path: Path, state: str) -> None:
    write_run(tmp_path / "run", state=state, problems=["the guest hung"] if state == "incomplete" else [])
    assert status("report", str(tmp_path / "run")) == 4
    error = capsys.readouterr().err
    assert "do not score this run" in error
    assert ("the guest hung" in error) is (state == "incomplete")


def test_a_report_names_the_files_that_it_wrote(
    capsys: pytest.CaptureFixture[str], json_run: Call, tmp_path: Path
) -> None:
    assert status("report", str(json_run.folder), "-o", str(tmp_path / "report")) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert paths[0] == tmp_path / "report" / "report.html"
    assert all(path.is_file() for path in paths)
