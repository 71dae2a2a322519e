"""Where runs are kept and what held-out seeds come from, unless somebody says otherwise."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from typing import TYPE_CHECKING

import testbed
from testbed.engine.kernel.cache import cache_folder
from testbed.validation.defaults import default_held_out_seed, default_store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_store_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_store() == tmp_path / "throttling-testbed" / "validation"


def test_the_store_is_in_the_folder_that_the_kernel_is_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/path")
    assert default_store().parent == cache_folder().parent == tmp_path / ".cache" / "throttling-testbed"


def test_without_git_the_version_stands_for_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = default_held_out_seed()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    version = default_held_out_seed()
    assert version
    assert commit == version or len(commit) == 40


def test_a_testbed_in_somebody_elses_repository_has_none_of_its_commits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / ".venv" / "testbed" / "__init__.py"
    place.parent.mkdir(parents=True)
    place.touch()
    (tmp_path / "theirs").touch()
    by = ["-c", "user.name=x", "-c", "user.email=x"]
    for words in (["init"], ["add", "theirs"], [*by, "commit", "--message", "theirs"]):
        subprocess.run(["git", "-C", tmp_path, *words], check=True, capture_output=True)
    monkeypatch.setattr(testbed, "__file__", str(place))
    assert default_held_out_seed() == importlib.metadata.version("throttling-testbed")
    subprocess.run(["git", "-C", tmp_path, "add", ".venv"], check=True, capture_output=True)
    assert len(default_held_out_seed()) == 40
