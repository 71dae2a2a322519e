from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from testbed.detectors.observation import Observation, Role, Transfer
from testbed.detectors.tools.subjects import pairs
from tests.detectors.build import observation, steady, transfer


def repeats(speeds: dict[tuple[str, Role], list[float]]) -> Observation:
    """Transfers of 20 s by port and role; a speed of 0 moved nothing."""
    transfers: list[Transfer] = []
    for (port, role), each in speeds.items():
        for place, kbps in enumerate(each):
            moved = [(20.0, int(kbps * 1000 * 20 / 8))] if kbps else []
            made = transfer(f"{port}-{role}-{place}", [t for t, _ in moved], [size for _, size in moved], role=role)
            transfers.append(replace(made, started_s=20.0 * len(transfers), labels={"port": port}))
    return observation(*transfers)


APP, CONTROL = ("app", Role.TARGET), ("app", Role.CONTROL)


def test_pairs_are_made_within_a_port() -> None:
    given_ = repeats({APP: [500], ("neutral", Role.CONTROL): [900], CONTROL: [800]})
    ((target, control),) = pairs(given_)
    assert (target.id, control.id) == ("app-target-0", "app-control-0")


def test_the_control_nearest_in_time_that_moved_data_is_paired() -> None:
    def control(name: str, started_s: float, duration_s: float = 1.0) -> Any:
        return steady(name, rate_bps=1e6, duration_s=duration_s, role=Role.CONTROL, started_s=started_s)

    broken = type(control("x", 0))(
        id="broken", role=Role.CONTROL, times_s=np.zeros(0), bytes=np.zeros(0, np.int64), started_s=9.9
    )
    target = steady("t", rate_bps=1e5, duration_s=1, started_s=10)
    found = pairs(observation(control("far", 0), broken, target, control("near", 12)))
    assert [(first.id, second.id) for first, second in found] == [("t", "near")]
