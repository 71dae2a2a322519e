"""Where runs are kept and what held-out seeds come from, unless somebody says otherwise."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from testbed.validation.defaults import default_held_out_seed, default_store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_store_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_store() == tmp_path / "throttling-testbed" / "validation"


def test_without_git_the_version_stands_for_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = default_held_out_seed()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    version = default_held_out_seed()
    assert version
    assert commit == version or len(commit) == 40
