"""The store: what is kept is found as it was, and damage is told."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import RecordError
from testbed.validation.keeping import store as store_module
from testbed.validation.keeping.aside import work_folder
from testbed.validation.keeping.store import Store
from tests.validation.cells import kept, verdict

if TYPE_CHECKING:
    from pathlib import Path


def test_a_cell_is_found_as_it_was_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.cell("k") is None
    record = kept(store, "k").record
    assert Store(tmp_path).cell("k") == record
    assert '"transfers"' in store.observation("k", record["observations"]["line"])
    assert list((tmp_path / "work").iterdir()) == []


def test_a_cell_that_another_process_made_meanwhile_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = kept(store, "k").record
    kept(store, "k", seed=99)
    assert store.cell("k") == first
    assert list((tmp_path / "work").iterdir()) == []


def test_a_cell_that_is_forgotten_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept(store, "k")
    store.forget_cell("k")
    store.forget_cell("never there")
    assert store.cell("k") is None


def test_a_store_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept(store, "k")
    for name in ("verdicts", "work"):
        shutil.rmtree(tmp_path / name)
        (tmp_path / name).write_text("")
    for write in (
        lambda: store.keep_verdict("o", "d", verdict("throttled")),
        lambda: store.forget_verdict("o", "d"),
        lambda: store.forget_cell("k"),
        lambda: kept(store, "other"),
    ):
        with pytest.raises(RecordError, match=r"cannot use the store .*: Not a directory; choose another with --store"):
            write()
    assert store.cell("k") is not None


def test_the_observation_has_no_truth_in_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = kept(store, "k").record
    text = store.observation("k", record["observations"]["line"])
    assert not any(word in text for word in ("throttled", "token_bucket", "influences", "twimg"))


WHOLE = gzip.compress(b'{"another": "observation"}', mtime=0)


@pytest.mark.parametrize("damage", [b"", b"no gzip", WHOLE, WHOLE[:-9], WHOLE[:12] + b"\xff" * 30, None])
def test_a_cell_with_a_damaged_observation_is_told_and_kept_anew(tmp_path: Path, damage: bytes | None) -> None:
    told: list[str] = []
    store = Store(tmp_path, told.append)
    record = kept(store, "k").record
    path = tmp_path / "cells" / "k" / f"{record['observations']['line']}.json.gz"
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(RecordError, match="give the command again"):
        store.observation("k", record["observations"]["line"])
    assert store.cell("k") is None
    assert [str(path) in each and "made again" in each for each in told] == [True]
    assert kept(store, "k").record == record == store.cell("k")
    assert list((tmp_path / "work").iterdir()) == []


DAMAGED = ["", "{", "[]", '{"format": 3}', '{"format": 2}', "\udcff", "[" * 100_000]


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("is_found_first", [True, False])
def test_a_damaged_cell_is_told_and_kept_anew(tmp_path: Path, damage: str, *, is_found_first: bool) -> None:
    told: list[str] = []
    store = Store(tmp_path, told.append)
    record = kept(store, "k").record
    (tmp_path / "cells" / "k" / "cell.json").write_bytes(damage.encode("utf-8", "surrogateescape"))
    if is_found_first:
        assert store.cell("k") is None
    kept(store, "k")
    assert store.cell("k") == record
    assert ["cell.json is damaged" in each for each in told] == [True]
    assert list((tmp_path / "work").iterdir()) == []


def test_what_a_cell_lacks_is_found_wherever_it_lacks(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept(store, "k")
    path = tmp_path / "cells" / "k" / "cell.json"
    path.write_text(path.read_text().replace('"who"', '"whom"'))
    assert store.cell("k") is None


def test_what_cannot_be_read_now_is_no_damage_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    record = kept(store, "k").record
    with monkeypatch.context() as patched:
        patched.setattr(store_module, "read_regular", _without_descriptors)
        with pytest.raises(RecordError, match="Too many open files"):
            store.cell("k")
        with pytest.raises(RecordError, match="Too many open files"):
            store.verdict("o", "d")
        with pytest.raises(RecordError, match="Too many open files"):
            store.observation("k", record["observations"]["line"])
    assert store.cell("k") == record


def _without_descriptors(path: Path) -> bytes:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))


def test_half_a_cell_makes_way_for_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "cells" / "k").mkdir(parents=True)
    (tmp_path / "cells" / "k" / "left.json.gz").write_bytes(b"")
    store = Store(tmp_path)
    assert store.cell("k") is None
    kept(store, "k")
    assert store.cell("k") is not None


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_verdict_is_told_and_asked_for_again(tmp_path: Path, damage: str) -> None:
    told: list[str] = []
    store = Store(tmp_path, told.append)
    record: Any = verdict("throttled", "joint")
    store.keep_verdict("o", "d", record)
    (path,) = (tmp_path / "verdicts").iterdir()
    path.write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert store.verdict("o", "d") is None
    assert ["asked again" in each for each in told] == [True]
    store.keep_verdict("o", "d", record)
    assert store.verdict("o", "d") == record


def test_a_store_removes_what_killed_processes_left(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "tmpkilled" / "run").mkdir(parents=True)
    with work_folder(work) as mine:
        Store(tmp_path)
        assert list(work.iterdir()) == [mine]


def test_a_verdict_belongs_to_an_observation_and_a_detector(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record: Any = verdict("throttled", "joint")
    store.keep_verdict("o", "d", record)
    assert store.verdict("o", "d") == record
    assert store.verdict("o", "e") is None
    assert store.verdict("p", "d") is None


def test_a_place_that_cannot_hold_a_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="--store"):
        Store(tmp_path / "file")
