"""What a store takes, what can go, and what is damaged."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from testbed.validation.keeping.store import Store
from testbed.validation.keeping.upkeep import Swept, room, sweep, verify
from tests.validation.cells import kept, verdict

if TYPE_CHECKING:
    from pathlib import Path

DAY_S = 86_400


def made(path: Path) -> Store:
    store = Store(path)
    kept(store, "one")
    kept(store, "two", valid=False)
    store.keep_verdict("o", "joint", verdict("throttled", "joint"))
    return store


def aged(path: Path, days: float) -> None:
    then = time.time() - days * DAY_S
    os.utime(path, (then, then))


def test_room_counts_what_is_there(tmp_path: Path) -> None:
    taken = room(made(tmp_path))
    on_disk = sum(path.stat().st_size for path in (tmp_path / "cells").rglob("*.*"))
    assert (taken.cells, taken.invalid, taken.verdicts, taken.cell_bytes) == (2, 1, 1, on_disk)
    assert taken.verdict_bytes > 100


def test_what_nobody_has_read_goes_and_what_was_read_stays(tmp_path: Path) -> None:
    store = made(tmp_path)
    for key in ("one", "two"):
        aged(tmp_path / "cells" / key / "cell.json", 10)
    for path in store.verdict_paths():
        aged(path, 10)
    assert store.cell("one") is not None  # which is reading it
    assert sweep(store, unused_days=5, dry=True).cells == 1
    assert store.all_keys() == ["one", "two"]
    swept = sweep(store, unused_days=5, dry=False)
    assert (swept.cells, swept.verdicts) == (1, 1)
    assert store.all_keys() == ["one"]
    assert store.verdict_paths() == []
    assert sweep(store, unused_days=5, dry=False) == Swept(0, 0, 0)


def test_a_verdict_that_is_asked_for_is_used(tmp_path: Path) -> None:
    store = made(tmp_path)
    aged(store.verdict_paths()[0], 10)
    assert store.verdict("o", "joint") is not None
    assert sweep(store, unused_days=5, dry=True).verdicts == 0


def test_what_is_damaged_is_named_and_removed(tmp_path: Path) -> None:
    store = made(tmp_path)
    assert verify(store) == []
    (observation,) = (tmp_path / "cells" / "one").glob("*.json.gz")
    observation.write_bytes(b"damage")
    path = store.verdict_paths()[0]
    path.write_text("{")
    assert verify(store) == ["cell one", f"verdict {path.stem}"]
    assert verify(store) == []
    assert store.all_keys() == ["two"]
