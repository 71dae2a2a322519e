"""What is said of a link changes the end that sends in that direction, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import ScenarioError
from testbed.guest.network.build import load_topology
from testbed.guest.network.impairment import Impairment, impair
from testbed.netlink.queue import Queue
from testbed.scenario import library

if TYPE_CHECKING:
    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.link_plan import LinkPlan

LINES = [{"name": "mobile", "kind": "mobile", "tspu": True}]


def topology(*links: LinkPlan) -> RoutedTopo:
    return load_topology(str(library.find("topologies", "russia2021")), "russia2021", {"lines": LINES}, links)


def options(built: RoutedTopo, sender: str, receiver: str) -> dict[str, Any]:
    """What the end of a link that sends to ``receiver`` does."""
    for first, second, info in built.iterLinks(withInfo=True):
        if {first, second} == {sender, receiver}:
            found: dict[str, Any] = info["params1" if info["node1"] == sender else "params2"]
            return found
    raise AssertionError(f"no link between {sender} and {receiver}")


def test_one_direction_is_changed_at_the_end_that_sends_there() -> None:
    plain = topology()
    built = topology({"between": ["transit", "origin"], "toward": "origin", "seed": 7, "loss": 0.02, "burst": 4.0})
    there, back = options(built, "transit", "origin"), options(built, "origin", "transit")
    assert there["loss"] == pytest.approx(2.0)
    assert there["impairment"] == Impairment(burst=4.0, seed=7)
    assert back == options(plain, "origin", "transit")
    assert there["delay"] == options(plain, "transit", "origin")["delay"]


def test_without_a_direction_both_ends_are_changed() -> None:
    built = topology(
        {"between": ["origin", "transit"], "seed": 7, "delay_s": 0.05, "jitter_s": 0.004, "rate_bps": 8_000_000,
         "queue": {"kind": "codel", "limit": 50}}
    )  # fmt: skip
    for ends in (("origin", "transit"), ("transit", "origin")):
        side = options(built, *ends)
        assert (side["delay"], side["jitter"], side["bw"]) == ("50.000000ms", "4.000000ms", 8.0)
        assert side["impairment"].queue == Queue("codel", 50)
        assert side["max_queue_size"] > 0
    assert built.rtt_s("mobile", "origin") - topology().rtt_s("mobile", "origin") == pytest.approx(2 * 0.0495)


@pytest.mark.parametrize(
    ("ends", "problem"),
    [(["transit", "moon"], "no link between transit and moon"), (["mobile-r3", "mobile-tspu"], "is a middlebox")],
)
def test_what_cannot_be_changed_is_refused(ends: list[str], problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        topology({"between": ends, "seed": 1})


def test_towards_a_box_a_router_sends_and_can_be_changed() -> None:
    built = topology()
    impair(built, [{"between": ["mobile-r3", "mobile-tspu"], "toward": "mobile-tspu", "seed": 1, "loss": 0.5}])
    assert options(built, "mobile-r3", "mobile-tspu")["loss"] == 50.0
