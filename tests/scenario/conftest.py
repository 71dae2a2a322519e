"""A scenario with a topology of the user's own, in the current folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenario.plans import HOME, TOPOLOGY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home.py").write_text(TOPOLOGY.format(line="home"))
    (tmp_path / "home.yaml").write_text(HOME)
    return tmp_path
