from __future__ import annotations

import gc
from dataclasses import replace
from random import Random

import pytest

from testbed.middlebox.enforcement import Enforcement
from testbed.middlebox.enforcement.actions import Delay, Shape, Throttle
from testbed.middlebox.enforcement.blocking import BlockPage, Drop, Reset, Rewrite
from testbed.middlebox.events import BlockingStarted, ThrottlingStarted
from testbed.middlebox.packet import Direction
from tests.middlebox.build import Connection, profile

SUBSCRIBER, NEIGHBOUR = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])


def enforcement(name: str = "ru-tw-2021a", **changes: object) -> Enforcement:
    return Enforcement(profile(name, **changes), Random(1))  # noqa: S311


@pytest.mark.parametrize(
    ("name", "cls", "effect"),
    [
        ("ru-tw-2021a", Throttle, "slows"),
        ("ru-16k-2025", Throttle, "ends"),
        ("eco-degrade", Throttle, "slows"),
        ("tele2-3g-up", Shape, "slows"),
        ("kz-2022", Delay, "slows"),
        ("ru-2022-I", Rewrite, "ends"),
        ("ru-2022-II", Drop, "ends"),
        ("isp-block", BlockPage, "ends"),
        ("isp-block-rst", Reset, "ends"),
    ],
)
def test_each_profile_gets_the_action_it_describes(name: str, cls: type, effect: str) -> None:
    action = enforcement(name).action(SUBSCRIBER, 0)
    assert isinstance(action, cls)
    assert action.effect == effect
    started = action.start(1, Connection().packet(Direction.UP), 0)[0]
    assert isinstance(started, ThrottlingStarted | BlockingStarted)
    assert started.effect == effect


def test_a_random_pass_that_lets_nothing_pass_ends_a_flow() -> None:
    assert enforcement("eco-degrade", meter__random_pass={"pass_share": 0.0}).action(SUBSCRIBER, 0).effect == "ends"


def test_an_action_of_a_kind_that_nobody_made_is_no_metering() -> None:
    unknown = replace(profile(), action=replace(profile().action, kind="brand_new"))
    with pytest.raises(ValueError, match="no action of kind brand_new"):
        Enforcement(unknown, Random(1)).action(SUBSCRIBER, 0)  # noqa: S311


def test_flows_have_their_own_meters() -> None:
    ours = enforcement()
    assert ours.action(SUBSCRIBER, 0) is not ours.action(SUBSCRIBER, 0)


def test_a_subscribers_flows_share_meters_as_long_as_one_is_remembered() -> None:
    ours = enforcement(action__scope="subscriber")
    first = ours.action(SUBSCRIBER, 0)
    assert ours.action(SUBSCRIBER, 5) is first
    assert ours.action(NEIGHBOUR, 0) is not first
    del first
    gc.collect()
    assert len(ours._subscribers) == 0


def test_a_profile_without_meter_cannot_meter() -> None:
    with pytest.raises(ValueError, match="ru-2022-II has no meter"):
        enforcement("ru-2022-II").metered(0)
