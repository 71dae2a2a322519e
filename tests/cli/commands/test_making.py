"""A run gets a folder that is nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.commands import making

if TYPE_CHECKING:
    import pytest


def test_an_unnamed_run_gets_a_folder_that_is_not_there_yet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/runs/a-seed7-1").mkdir(parents=True)
    assert making.new_run_folder("a", 7) == Path("results/runs/a-seed7-2")


def test_runs_at_once_take_folders_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [making.new_run_folder("a", 7) for _ in range(3)]  # nothing has been written to any of them yet
    assert len(set(folders)) == 3
