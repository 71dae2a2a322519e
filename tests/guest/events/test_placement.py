"""Boxes that are somewhere else for a while: where one is then, what is refused, and what readers are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.guest.events.censor import Censor
from testbed.guest.events.placement import Placement
from testbed.guest.network.build import load_topology
from testbed.guest.timed_event import EventError, RunSpan
from testbed.scenario import library

if TYPE_CHECKING:
    from testbed.guest.network.topology import RoutedTopo

LINES = [
    {"name": "obit", "kind": "mobile", "tspu": True, "also_after_hops": [5, 1]},
    {"name": "home", "kind": "landline", "tspu": True},
    {"name": "free", "kind": "landline", "tspu": False},
]
RUN = RunSpan(start_ns=0, last_s=100.0, seed=1)


@pytest.fixture(scope="module")
def topology() -> RoutedTopo:
    return load_topology(str(library.find("topologies", "russia2021")), "russia2021", {"lines": LINES})


def spans(event: Placement, topology: RoutedTopo) -> list[tuple[str, float, float, bool]]:
    event.check(topology)
    return sorted((each.box, each.from_s, each.until_s, each.is_there) for each in event.box_spans(topology, RUN))


def test_a_box_out_of_the_path_is_at_no_place(topology: RoutedTopo) -> None:
    both = Placement(from_=5.0, until=9.0, after_hop=None)
    assert spans(both, topology) == [("home-tspu", 5.0, 9.0, False), ("obit-tspu", 5.0, 9.0, False)]
    assert spans(Placement(from_=5.0, until=9.0, after_hop=None, place="blocker", lines=("free",)), topology) == [
        ("free-blocker", 5.0, 9.0, False)
    ]


def test_a_box_that_is_moved_is_at_one_spare_place_and_not_where_it_stood(topology: RoutedTopo) -> None:
    moved = Placement(from_=5.0, until=9.0, after_hop=5, lines=("obit",))
    assert spans(moved, topology) == [("obit-tspu", 5.0, 9.0, False), ("obit-tspu-after-5", 5.0, 9.0, True)]


def test_a_spare_place_is_a_box_on_the_way_that_makes_it_no_longer(topology: RoutedTopo) -> None:
    plain = [{name: value for name, value in line.items() if name != "also_after_hops"} for line in LINES]
    without = load_topology(str(library.find("topologies", "russia2021")), "russia2021", {"lines": plain})
    way = topology.path("obit", "origin")
    at = {
        name: way.index(name) for name in ("obit-tspu-after-1", "obit-r2", "obit-tspu", "obit-r5", "obit-tspu-after-5")
    }
    assert list(at.values()) == sorted(at.values())
    assert topology.rtt_s("obit", "origin") == without.rtt_s("obit", "origin")


@pytest.mark.parametrize(
    ("event", "key", "problem"),
    [
        (Placement(from_=1.0, after_hop=4, lines=("obit",)), "after_hop", "no box of line obit after hop 4"),
        (Placement(from_=1.0, after_hop=5), "after_hop", "no box of line home after hop 5"),
        (Placement(from_=1.0, after_hop=None, lines=("free",)), "lines", "line free has no place for a box"),
        (Placement(from_=1.0, after_hop=None, lines=("moon",)), "lines", "no line 'moon'"),
    ],
)
def test_a_place_that_is_not_there_is_refused(topology: RoutedTopo, event: Placement, key: str, problem: str) -> None:
    with pytest.raises(EventError) as caught:
        event.check(topology)
    assert caught.value.key == key
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"from_": 5.0, "until": 5.0, "after_hop": None}, "expected 'until' after 'from'"),
        ({"from_": 5.0, "after_hop": 3, "place": "blocker"}, "say after_hop: none"),
        ({"from_": 5.0, "after_hop": None, "lines": ()}, "remove 'lines' to mean all"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Placement(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "second", "is_refused"),
    [
        (Placement(from_=0.0, until=10.0, after_hop=None), Placement(from_=9.0, until=20.0, after_hop=5), True),
        (Placement(from_=0.0, until=10.0, after_hop=None), Placement(from_=10.0, until=20.0, after_hop=5), False),
        (
            Placement(from_=0.0, after_hop=None, lines=("obit",)),
            Placement(from_=9.0, after_hop=5, lines=("home",)),
            False,
        ),
        (
            Placement(from_=0.0, after_hop=None, lines=("obit", "home")),
            Placement(from_=9.0, after_hop=5, lines=("home",)),
            True,
        ),
        (
            Placement(from_=0.0, after_hop=None, place="blocker"),
            Placement(from_=9.0, after_hop=5),
            False,
        ),
    ],
)
def test_one_box_is_at_one_place_at_a_time(first: Placement, second: Placement, is_refused: bool) -> None:  # noqa: FBT001
    assert [(each is not None) for each in (first.contradicts(second), second.contradicts(first))] == [is_refused] * 2
    assert first.contradicts(Censor(at=1.0, censor=None)) is None


@pytest.mark.parametrize(
    ("event", "note"),
    [
        (
            Placement(from_=60.0, until=120.0, after_hop=None, lines=("obit",), about="a new rack"),
            "the boxes (tspu) of line obit were out of the path from 60 s to 120 s: a new rack",
        ),
        (Placement(from_=60.0, after_hop=5), "the boxes (tspu) of all lines stood after hop 5 from 60 s on"),
    ],
)
def test_a_reader_is_told(event: Placement, note: str) -> None:
    assert event.note() == note
