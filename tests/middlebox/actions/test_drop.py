from __future__ import annotations

import pytest

from testbed.middlebox.events import FlowForgotten
from tests.middlebox.actions.build import TWITTER, names
from tests.middlebox.build import Box, problems, profile


def test_drop_lets_some_packets_pass_and_then_none() -> None:
    passed = set()
    for seed in range(200):
        box = Box(profile("ru-2022-II"), seed=seed).connect().up(TWITTER)
        packets = [
            box.connection.down(bytes(100)) if index % 2 else box.connection.up(bytes(100)) for index in range(20)
        ]
        fates = [bool(box.send(packet)) for packet in packets]
        passed.add(fates.index(True))
        assert all(fates[fates.index(True) :])
    assert passed == {5, 6, 7, 8}


def test_drop_may_take_the_hello_too() -> None:
    box = Box(profile("ru-2022-IV")).connect().up(TWITTER)
    assert names(box.events)[-4:] == ["rule_matched", "blocking_started", "packet_dropped", "inspection_ended"]
    assert names(box.send(box.connection.up(TWITTER), box.connection.down(b"x"))) == ["packet_dropped"] * 2


@pytest.mark.parametrize(
    ("name", "residual_s"), [("ru-2022-I", 75), ("ru-2022-II", 420), ("ru-2022-IV", 40), ("ru-quic-2022", 420)]
)
def test_profiles_of_2022_have_their_residual_times(name: str, residual_s: float) -> None:
    assert profile(name).action.residual_s == residual_s


def test_residual_blocking_ends_on_time_whatever_is_sent() -> None:
    box = Box(profile("ru-2022-IV")).connect().up(TWITTER)
    matched_ns = box.now_ns
    for _ in range(39):
        box.wait(0.999)
        assert box.send(box.connection.up(b"again")) != []
    box.wait(1.1)
    (forgotten, *_) = box.send(box.connection.up(b"again"))
    assert forgotten == FlowForgotten(t_ns=matched_ns + 40 * 10**9, flow=1, reason="residual time over")
    assert box.send(box.connection.up(b"again")) == []


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"action__after_packets": [5]}, "action.after_packets"),
        ({"action__after_packets": [8, 5]}, "action.after_packets"),
        ({"action__after_packets": [0, 10**30]}, "action.after_packets"),
        ({"action__scope": "subscriber"}, "action.scope"),
        ({"action__residual": "-1 s"}, "action.residual"),
        ({"action__residual": float("inf")}, "action.residual"),
        ({"action__delay": "4 s"}, "action.delay"),
        ({"meter": {"kind": "random_pass", "counts": "payload", "random_pass": {"pass_share": "5 %"}}}, "meter"),
    ],
    ids=str,
)
def test_what_cannot_be_carried_out_is_refused_with_its_key(changes: dict[str, object], key: str) -> None:
    assert list(problems("ru-2022-II", **changes)) == [key]


def test_a_key_of_another_kind_is_said_to_be_its() -> None:
    found = problems("ru-2022-II", action__delay="4 s")
    assert found == {"action.delay": "an action of kind drop has no such key, one of kind delay has; remove it"}
