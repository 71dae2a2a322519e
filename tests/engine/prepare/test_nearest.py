"""The nearest folder is found above what is not there, is closed, or cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.engine.prepare.nearest import nearest


@pytest.mark.parametrize("below", ["", "a", "a/b/c", "x" * 300, "x" * 5000])
def test_what_is_not_there_is_passed_over(tmp_path: Path, below: str) -> None:
    assert nearest(tmp_path / below) == tmp_path


def test_what_is_closed_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Path.exists

    def exists(path: Path) -> bool:
        if path.name == "closed":
            raise PermissionError
        return there(path)

    monkeypatch.setattr(Path, "exists", exists)
    assert nearest(tmp_path / "closed") == tmp_path
