"""An outage: what is refused, and what it explains."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from testbed.guest.events.outage import Outage
from testbed.guest.network.build import load_topology
from testbed.guest.timed_event import EventError
from testbed.scenario import library

if TYPE_CHECKING:
    from testbed.guest.network.topology import RoutedTopo

LINES = [{"name": "mobile", "kind": "mobile", "tspu": True}]


@cache
def topology() -> RoutedTopo:
    return load_topology(str(library.find("topologies", "russia2021")), "russia2021", {"lines": LINES})


def outage(first: str = "gateway", second: str = "state", *, from_: float = 10.0, until: float = 20.0) -> Outage:
    return Outage(link=(first, second), from_=from_, until=until, about="a router hangs")


@pytest.mark.parametrize(("from_", "until"), [(5.0, 5.0), (5.0, 0.0)])
def test_it_ends_after_it_begins(from_: float, until: float) -> None:
    with pytest.raises(ValueError, match="expected 'until' after 'from'"):
        outage(from_=from_, until=until)


@pytest.mark.parametrize("link", [("gateway", "state"), ("state", "gateway"), ("mobile", "mobile-r1")])
def test_a_link_that_is_there_can_fail(link: tuple[str, str]) -> None:
    outage(*link).check(topology())


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        (("gateway", "mobile"), "no link between gateway and mobile"),
        (("gateway", "moon"), "no link between gateway and moon"),
        (("mobile-r3", "mobile-tspu"), "mobile-tspu is a middlebox; choose another link to fail"),
    ],
)
def test_another_link_is_refused_at_its_key(link: tuple[str, str], problem: str) -> None:
    with pytest.raises(EventError) as error:
        outage(*link).check(topology())
    assert error.value.key == "link"
    assert error.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("begins_s", "ends_s", "explained"),
    [
        (0.0, 10.0, "no"),
        (0.0, 10.5, "yes"),
        (12.0, 13.0, "yes"),
        (0.0, 99.0, "yes"),
        (19.9, 30.0, "yes"),
        (20.0, 30.0, "no"),
    ],
)
def test_it_explains_what_failed_on_its_link_meanwhile(begins_s: float, ends_s: float, explained: str) -> None:
    assert outage().cuts(frozenset({"state", "gateway"}), begins_s, ends_s) is (explained == "yes")
    assert outage().cuts(frozenset({"state", "backbone"}), begins_s, ends_s) is False


def test_nobody_has_to_say_why() -> None:
    event = Outage(link=("gateway", "state"), from_=10.0, until=20.0)
    assert event.note() == "the link between gateway and state was out from 10 s to 20 s"


def test_readers_are_told_of_it() -> None:
    assert outage().note() == "the link between gateway and state was out from 10 s to 20 s: a router hangs"
