"""A run gets a folder that is nobody else's, and what is said of it when it is stopped is so."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.cli import main
from testbed.cli.commands import making
from testbed.engine.engine import ENGINES
from testbed.errors import RecordError
from testbed.records.run import RunDirectory


def test_an_unnamed_run_gets_a_folder_that_is_not_there_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/runs/a-seed7-1").mkdir(parents=True)
    assert making.new_run_folder("a", 7) == Path("results/runs/a-seed7-2")


def test_runs_at_once_take_folders_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [making.new_run_folder("a", 7) for _ in range(3)]  # nothing has been written to any of them yet
    assert len(set(folders)) == 3


def test_a_current_folder_that_is_gone_is_told_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(RecordError, match=r"results/runs, below the current one: .*; choose another folder with -o"):
        making.new_run_folder("a", 7)


class _StoppedEngine:
    """Is stopped while it makes a kernel."""

    def prepare(self, _say: object) -> None:
        raise KeyboardInterrupt


class _ReadyEngine:
    """Has a kernel."""

    def prepare(self, _say: object) -> None:
        """Nothing has to be made."""


def test_nothing_is_said_to_be_kept_before_there_is_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("testbed.cli.commands.runs.ENGINES", {**ENGINES, "virtual": _StoppedEngine()})
    assert main(["run", "confounders/clean", "-o", str(tmp_path / "run")]) == 130
    assert capsys.readouterr().err == "testbed: stopped before anything was recorded\n"
    assert not (tmp_path / "run").exists()


def test_what_was_recorded_by_a_stop_is_said_to_be_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stopped(_plan: object, _kernel: object, folder: Path, **_: object) -> None:
        RunDirectory.create(folder)
        raise KeyboardInterrupt

    monkeypatch.setattr("testbed.cli.commands.runs.ENGINES", {**ENGINES, "virtual": _ReadyEngine()})
    monkeypatch.setattr(making, "run_plan", stopped)
    assert main(["run", "confounders/clean", "-o", str(tmp_path / "run")]) == 130
    assert "testbed: stopped; what was recorded is kept and marked incomplete\n" in capsys.readouterr().err
