"""The guest's code is kept in the cache; where that cannot be, it is said before a run begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.engine.prepare.guest_code import guest_code_digest, require_cache
from testbed.errors import MissingError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache folder that cannot be written. Root could, so it is the kernel's answer that is changed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("os.access", lambda *_: False)
    return tmp_path


def test_a_cache_that_cannot_be_written_is_named_with_what_to_set(closed: Path) -> None:
    with pytest.raises(MissingError, match=rf"{closed} cannot be written; .*export XDG_CACHE_HOME=FOLDER"):
        require_cache()


def test_a_cache_that_has_the_code_need_not_be_written(closed: Path) -> None:
    (closed / "throttling-testbed" / "guest" / guest_code_digest()).mkdir(parents=True)
    require_cache()


def test_a_cache_that_can_be_made_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet" / "there"))
    require_cache()
    assert list(tmp_path.iterdir()) == []
