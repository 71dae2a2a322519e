"""`diff`: what may differ by the fingerprints, and what does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.program import status
from tests.records.build import write_run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_run_is_equal_to_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run").path
    assert status("diff", str(run), str(run)) == 0
    assert capsys.readouterr().out == "equal; by their fingerprints the runs should be equal\n"


def test_the_first_difference_of_each_file_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "first").path, write_run(tmp_path / "second").path
    with (second / "measurements.jsonl").open("a") as file:
        file.write('{"t": 9.0, "transfer": "x", "side": "client", "event": "started"}\n')
    assert status("diff", str(first), str(second)) == 1
    assert "measurements.jsonl:" in capsys.readouterr().out
    assert status("diff", str(first), str(second), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert len(found["differences"]) == 1
    assert found["compared"] > 1


def test_what_no_fingerprint_has_of_a_command_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "first").path, write_run(tmp_path / "second").path
    for run in (first, second):
        manifest = json.loads((run / "manifest.json").read_text())
        manifest["certificate"] = {**manifest.get("certificate", {}), "command_status": 0}
        (run / "manifest.json").write_text(json.dumps(manifest))
    (second / "measurements.jsonl").write_text("")
    assert status("diff", str(first), str(second)) == 1
    assert "may differ by what no fingerprint has: a command's environment" in capsys.readouterr().out


def test_what_is_no_run_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert status("diff", str(tmp_path), str(tmp_path)) == 2
    assert "manifest.json" in capsys.readouterr().err
