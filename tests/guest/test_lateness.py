"""How late timers fire, on a clock that the test moves."""

from __future__ import annotations

import select
import signal
import time
from typing import TYPE_CHECKING

import pytest

from testbed.guest.child import Lifetime
from testbed.guest.lateness import count_late_timers

if TYPE_CHECKING:
    from collections.abc import Iterator

LATE_S = 0.02
Objects = list[object]


@pytest.fixture(autouse=True)
def _leave_signals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(signal, "set_wakeup_fd", lambda _: None)


@pytest.mark.parametrize(
    ("late_by_s", "counts"),
    [
        ([], {"timers": 0, "late": 0, "worst_s": 0.0}),
        ([0.0, 0.001, LATE_S - 0.001], {"timers": 3, "late": 0, "worst_s": LATE_S - 0.001}),
        ([0.0, LATE_S + 0.001, 0.002], {"timers": 3, "late": 1, "worst_s": LATE_S + 0.001}),
        ([0.5, 0.3], {"timers": 2, "late": 2, "worst_s": 0.5}),
    ],
)
def test_timers_that_fire_late_are_counted_until_the_end(
    monkeypatch: pytest.MonkeyPatch, late_by_s: list[float], counts: dict[str, float]
) -> None:
    now = 100.0
    delays: Iterator[float] = iter(late_by_s)

    def sleep(
        _awake: list[object], _write: list[object], _fail: list[object], timeout_s: float
    ) -> tuple[list[object], ...]:
        nonlocal now
        late_s = next(delays, None)
        if late_s is None:
            return _awake, [], []
        now += timeout_s + late_s
        return [], [], []

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(select, "select", sleep)
    found = count_late_timers(LATE_S)(Lifetime(lambda _: None))
    assert found == {
        **counts,
        "worst_s": pytest.approx(counts["worst_s"]),
    }
