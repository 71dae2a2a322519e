from __future__ import annotations

import gc
from random import Random

import pytest

from testbed.middlebox.enforcement import Enforcement
from testbed.middlebox.enforcement.actions import Delay, Shape, Throttle
from testbed.middlebox.enforcement.blocking import BlockPage, Drop, Reset, Rewrite
from tests.middlebox.build import profile

SUBSCRIBER, NEIGHBOUR = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])


def enforcement(name: str = "ru-tw-2021a", **changes: object) -> Enforcement:
    return Enforcement(profile(name, **changes), Random(1))  # noqa: S311


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("ru-tw-2021a", Throttle),
        ("ru-16k-2025", Throttle),
        ("eco-degrade", Throttle),
        ("tele2-3g-up", Shape),
        ("kz-2022", Delay),
        ("ru-2022-I", Rewrite),
        ("ru-2022-II", Drop),
        ("isp-block", BlockPage),
        ("isp-block-rst", Reset),
    ],
)
def test_each_profile_gets_the_action_it_describes(name: str, cls: type) -> None:
    assert isinstance(enforcement(name).action(SUBSCRIBER, 0), cls)


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
