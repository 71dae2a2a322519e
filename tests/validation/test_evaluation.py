"""A suite carried out: labels of lines, processes that fail, and what is there in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.validation.cells import Cell
from testbed.validation.evaluation import evaluate, forget_for_retry, scored
from testbed.validation.judging import known_digest
from testbed.validation.keeping.store import Store
from tests.records.build import transfer
from tests.validation.cells import kept

if TYPE_CHECKING:
    from pathlib import Path


def cell(number: int) -> Cell:
    return Cell("development", "policed", number, "throttling/policed", (), number)


def test_what_is_there_is_read_from_the_store_and_not_from_what_processes_say(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept(store, "one")
    kept(store, "two", valid=False)
    (tmp_path / "cells" / "four").mkdir()
    (tmp_path / "cells" / "four" / "cell.json").write_text("{")
    keys = {"policed/1": "one", "policed/2": "two", "policed/3": "three", "policed/4": "four"}
    found = evaluate([cell(number) for number in range(1, 5)], keys, store, {"policed/1": "died", "policed/3": "died"})
    assert [each.cell.id for each in found.kept] == ["policed/1"]
    assert [(each.id, why) for each, why in found.invalid] == [("policed/2", "a clock ran late")]
    assert [each.id for each, _ in found.missing] == ["policed/3", "policed/4"]
    assert found.missing[0][1] == "died"
    assert found.missing[1][1] == "it was not made"


def test_a_verdict_is_scored_against_the_label_of_its_line(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (one,) = scored(kept(store, "k"), store, ["ooni"])
    assert (one.cell, one.detector, one.label, one.failed) == ("policed/1", "ooni", "throttled", False)
    both_throttled = [
        transfer(id="line/1", line="line", role="target"),
        transfer(id="line/2", line="line", role="control"),
    ]
    assert scored(kept(store, "l", transfers=both_throttled), store, ["ooni"]) == []


def test_what_failed_is_asked_again_and_what_is_invalid_is_made_again(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho garbage\n")
    broken.chmod(0o700)
    store, name = Store(tmp_path / "store"), f"exec:{broken}"
    cell = kept(store, "k")
    kept(store, "bad", valid=False)
    digest = cell.record["observations"]["line"]
    assert {each.failed for each in scored(cell, store, [name, "ooni"])} == {True, False}
    forget_for_retry(store, ["k", "bad", "none"], [name, "ooni"], "failed")
    assert store.verdict(digest, known_digest(name)) is None
    assert store.verdict(digest, known_digest("ooni")) is not None
    assert store.cell("bad") is not None
    forget_for_retry(store, ["k", "bad", "none"], [name, "ooni"], "invalid")
    assert store.cell("bad") is None
    assert store.cell("k") is not None
