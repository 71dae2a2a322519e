"""The command ``store``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.validation.keeping.store import Store
from tests.cli.program import status
from tests.validation.cells import kept, verdict

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_store_is_measured_swept_and_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path)
    kept(store, "one")
    store.keep_verdict("o", "joint", verdict("throttled", "joint"))
    place = ("--store", str(tmp_path))
    assert status("store", "du", *place) == 0
    assert "1 runs (0 invalid): 0.0 MB" in capsys.readouterr().out
    assert status("store", "verify", *place) == 0
    store.verdict_paths()[0].write_text("{")
    assert status("store", "verify", *place) == 1
    assert "damaged, and removed: verdict" in capsys.readouterr().out
    assert status("store", "gc", "--unused-days", "0", "--dry-run", *place) == 0
    assert "1 runs, 0 verdicts and 0 folders would be removed" in capsys.readouterr().out
    assert status("store", "gc", "--unused-days", "0", *place) == 0
    assert store.all_keys() == []


def test_a_store_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("store", "du", "--store", str(tmp_path / "none")) == 2
    assert "there is no store" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
