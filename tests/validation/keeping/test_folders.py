"""Whole folders in a store: found by key, moved into place at once, and removed when they are not asked for."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from testbed.validation.keeping.folders import all_folders, find_folder, forget_folder, keep_folder
from testbed.validation.keeping.store import Store
from testbed.validation.keeping.upkeep import room, sweep

if TYPE_CHECKING:
    from pathlib import Path


def made(store: Store, text: str = "x") -> Path:
    folder = store.path / "work" / "made"
    folder.mkdir()
    (folder / "file").write_text(text)
    return folder


def test_a_folder_is_found_once_it_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert find_folder(store, "runs", "one") is None
    place = keep_folder(store, "runs", "one", made(store))
    assert find_folder(store, "runs", "one") == place
    assert find_folder(store, "parts", "one") is None
    assert list(all_folders(store)) == [place]
    assert keep_folder(store, "runs", "one", made(store, "y")) == place
    assert (place / "file").read_text() == "x"  # who was first stays
    forget_folder(store, place)
    assert (find_folder(store, "runs", "one"), list(all_folders(store))) == (None, [])


def test_a_folder_that_cannot_be_moved_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(FileNotFoundError):
        keep_folder(store, "parts", "one", tmp_path / "work" / "absent")


def test_folders_are_counted_and_swept_with_the_rest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, new = (keep_folder(store, "parts", name, made(store)) for name in ("old", "new"))
    for place in (old, new):
        os.utime(place, (time.time() - 10 * 86_400,) * 2)
    assert find_folder(store, "parts", "new") == new  # which is asking for it
    taken = room(store)
    assert (taken.folders, taken.folder_bytes) == (2, 2)
    swept = sweep(store, unused_days=5, dry=True)
    assert (swept.folders, swept.freed_bytes) == (1, 1)
    assert sweep(store, unused_days=5, dry=False).folders == 1
    assert list(all_folders(store)) == [new]
