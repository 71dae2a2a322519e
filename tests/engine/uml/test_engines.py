"""The engines on our own kernel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.engine.kernel import KernelInfo
from testbed.engine.uml.engines import REALTIME, VIRTUAL, UmlEngine
from testbed.errors import MissingError

BUILT = KernelInfo(Path("/kernel/linux"), "0" * 16, "6.12", "linux-source", (), 1, "2021-03-10")


def test_a_tenth_of_the_published_round_trip_is_late_in_real_time() -> None:
    assert pytest.approx(0.19 / 10, abs=0.0011) == REALTIME.late_s


def test_timers_are_watched_against_the_limit_that_packets_have() -> None:
    assert REALTIME.clock == {"is_virtual": False, "settle_s": 5.0, "late_s": REALTIME.late_s}
    assert VIRTUAL.clock == {"is_virtual": True, "settle_s": 5.0, "late_s": None}


@pytest.mark.parametrize("engine", [VIRTUAL, REALTIME])
def test_without_a_kernel_nothing_runs(engine: UmlEngine) -> None:
    with pytest.raises(MissingError, match="the kernel is not built; run: testbed kernel build"):
        engine.require(replace(BUILT, path=None), 256)


def test_more_memory_than_any_machine_has_is_refused() -> None:
    with pytest.raises(MissingError, match="memory"):
        VIRTUAL.require(BUILT, 1 << 40)
