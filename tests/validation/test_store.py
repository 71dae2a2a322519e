"""The store: what is kept is found as it was, and damage is told."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import RecordError
from testbed.validation.store import Store
from tests.validation.cells import kept

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


def test_the_observation_has_no_truth_in_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = kept(store, "k").record
    text = store.observation("k", record["observations"]["line"])
    assert not any(word in text for word in ("throttled", "token_bucket", "influences", "twimg"))


@pytest.mark.parametrize("damage", [b"", b"no gzip", gzip.compress(b'{"another": "observation"}')])
def test_a_damaged_observation_is_told(tmp_path: Path, damage: bytes) -> None:
    store = Store(tmp_path)
    digest = kept(store, "k").record["observations"]["line"]
    (tmp_path / "cells" / "k" / f"{digest}.json.gz").write_bytes(damage)
    with pytest.raises(RecordError, match="the cell is made again"):
        store.observation("k", digest)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 2}', "\udcff"])
def test_a_damaged_record_is_told(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    kept(store, "k")
    (tmp_path / "cells" / "k" / "cell.json").write_bytes(damage.encode("utf-8", "surrogateescape"))
    with pytest.raises(RecordError, match="remove it"):
        store.cell("k")


def test_a_verdict_belongs_to_an_observation_and_a_detector(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record: Any = {"format": 1, "detector": "joint", "outcome": "throttled", "why": "w"}
    store.keep_verdict("o", "d", record)
    assert store.verdict("o", "d") == record
    assert store.verdict("o", "e") is None
    assert store.verdict("p", "d") is None


def test_a_place_that_cannot_hold_a_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="--store"):
        Store(tmp_path / "file")
