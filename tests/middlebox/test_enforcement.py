from __future__ import annotations

import gc
from random import Random

import pytest

from testbed.middlebox.actions.block_page import BlockPage
from testbed.middlebox.actions.delay import Delay
from testbed.middlebox.actions.drop import Dropping
from testbed.middlebox.actions.reset import Reset
from testbed.middlebox.actions.rewrite import Rewrite
from testbed.middlebox.actions.throttle import Metered
from testbed.middlebox.enforcement import Enforcement
from testbed.middlebox.events import BlockingStarted, ThrottlingStarted
from testbed.middlebox.packet import Direction
from tests.middlebox.build import Connection, profile

SUBSCRIBER, NEIGHBOUR = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])


def enforcement(name: str = "ru-tw-2021a", **changes: object) -> Enforcement:
    return Enforcement(profile(name, **changes), Random(1))  # noqa: S311


@pytest.mark.parametrize(
    ("name", "cls", "effect"),
    [
        ("ru-tw-2021a", Metered, "slows"),
        ("ru-16k-2025", Metered, "ends"),
        ("eco-degrade", Metered, "slows"),
        ("tele2-3g-up", Metered, "slows"),
        ("kz-2022", Delay, "slows"),
        ("ru-2022-I", Rewrite, "ends"),
        ("ru-2022-II", Dropping, "ends"),
        ("isp-block", BlockPage, "ends"),
        ("isp-block-rst", Reset, "ends"),
    ],
)
def test_each_profile_gets_the_action_it_describes(name: str, cls: type, effect: str) -> None:
    action = enforcement(name).treatment(SUBSCRIBER, 0, 0)
    assert isinstance(action, cls)
    assert action.effect == effect
    started = action.start(1, Connection().packet(Direction.UP), 0)[0]
    assert isinstance(started, ThrottlingStarted | BlockingStarted)
    assert started.effect == effect


def test_a_random_pass_that_lets_nothing_pass_ends_a_flow() -> None:
    assert (
        enforcement("eco-degrade", meter__random_pass={"pass_share": 0.0}).treatment(SUBSCRIBER, 0, 0).effect == "ends"
    )


def test_a_meter_is_told_how_many_packets_the_flow_had() -> None:
    ours = enforcement(meter={"kind": "packet_quota", "counts": "ip_length", "packet_quota": {"packets": 5}})
    action = ours.treatment(SUBSCRIBER, 0, 0, packets=4)
    packet = Connection().packet(Direction.UP)
    assert [len(action.on_packet(1, packet, 0)) for _ in range(3)] == [0, 1, 1]


def test_flows_have_their_own_meters() -> None:
    ours = enforcement()
    assert ours.treatment(SUBSCRIBER, 0, 0) is not ours.treatment(SUBSCRIBER, 0, 0)


def test_a_subscribers_flows_share_meters_as_long_as_one_is_remembered() -> None:
    ours = enforcement(action__scope="subscriber")
    first = ours.treatment(SUBSCRIBER, 0, 0)
    assert ours.treatment(SUBSCRIBER, 5, 5) is first
    assert ours.treatment(NEIGHBOUR, 0, 0) is not first
    del first
    gc.collect()
    assert len(ours._subscribers) == 0
