"""A cell is made by a real run, judged, kept, and then found again without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.errors import InvalidRunError
from testbed.validation.cells import Cell, plan_cell
from testbed.validation.evaluation import ensure, scored
from testbed.validation.keeping.store import Store
from testbed.validation.running import work

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from testbed.engine.kernel import KernelInfo

SMALL = ("measurements.0.size=60 kB", "measurements.0.repeat=1")
CELL = Cell("development", "policed", 1, "throttling/policed", SMALL, 5)


def test_a_cell_is_made_once(tmp_path: Path, kernel: KernelInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    first = ensure(CELL, kernel, store, ["ooni"])
    assert first.record["valid"]
    assert first.record["replay"].startswith("testbed run throttling/policed --set 'measurements.0.size=60 kB'")
    assert list((tmp_path / "work").iterdir()) == []
    (one,) = scored(first, store, ["ooni"])
    assert one.label == "throttled"
    text = store.observation(first.key, first.record["observations"]["line"])
    assert str(tmp_path) not in text
    assert {each["role"] for each in json.loads(text)["transfers"]} == {"target", "control"}
    monkeypatch.setattr(work, "run_plan", None)  # it would fail to be called
    assert ensure(CELL, kernel, store, ["ooni"]).record == first.record


def test_a_run_that_is_invalid_twice_is_kept_as_such(
    tmp_path: Path, kernel: KernelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def invalid(*_: object, **__: object) -> None:
        tried.append("")
        raise InvalidRunError("the guest was starved")

    monkeypatch.setattr(work, "run_plan", invalid)
    store = Store(tmp_path)
    key, plan = plan_cell(CELL, kernel)
    record = work.make_cell(CELL, key, plan, kernel, store)
    assert len(tried) == 2
    assert (record["valid"], record["problems"], record["observations"]) == (False, ["the guest was starved"], {})
    assert store.cell(key) == record
