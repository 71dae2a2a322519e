"""Another censor: which boxes it means, what is refused, and what readers are told."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from testbed.guest.events.censor import Censor
from testbed.guest.network.build import load_topology
from testbed.guest.timed_event import BoxChange, EventError
from testbed.scenario import library

if TYPE_CHECKING:
    from testbed.guest.network.topology import RoutedTopo

LINES = [
    {"name": "mobile", "kind": "mobile", "tspu": True},
    {"name": "home", "kind": "landline", "tspu": True},
    {"name": "free", "kind": "landline", "tspu": False},
]


@cache
def topology() -> RoutedTopo:
    return load_topology(str(library.find("topologies", "russia2021")), "russia2021", {"lines": LINES})


@pytest.mark.parametrize(
    ("lines", "boxes"),
    [
        (None, ["mobile-tspu", "home-tspu"]),
        (("home",), ["home-tspu"]),
        (("mobile", "home"), ["mobile-tspu", "home-tspu"]),
    ],
)
def test_it_means_the_boxes_of_one_line_of_several_or_of_all(lines: tuple[str, ...] | None, boxes: list[str]) -> None:
    event = Censor(at=5.0, censor="ru-tw-2021b", lines=lines, forgets=True)
    event.check(topology())
    found = sorted(event.box_changes(topology()), key=lambda each: boxes.index(each.box))
    assert found == [BoxChange(box=box, at_s=5.0, censor="ru-tw-2021b", forgets=True) for box in boxes]


def test_a_share_reaches_each_box_and_the_reader_and_needs_a_censor() -> None:
    event = Censor(at=5.0, censor="ru-tw-2021b", share=0.3)
    assert {change.share for change in event.box_changes(topology())} == {0.3}
    assert "set to ru-tw-2021b, for 30 % of flows;" in event.note()
    with pytest.raises(ValueError, match="remove 'share'"):
        Censor(at=5.0, censor=None, share=0.3)


def test_no_line_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="remove 'lines' to mean all"):
        Censor(at=5.0, censor=None, lines=())


def test_the_agent_has_nothing_to_do_for_it() -> None:
    assert list(Censor(at=5.0, censor=None).changes()) == []


@pytest.mark.parametrize(
    ("event", "key", "problem"),
    [
        (Censor(at=1.0, censor=None, lines=("moon",)), "lines", "no line 'moon' (there: free, home, mobile)"),
        (Censor(at=1.0, censor=None, lines=("free",)), "lines", "line free has no place for a box of kind tspu"),
        (Censor(at=1.0, censor=None, place="moon"), "place", "no line has a place for a box of kind moon (there: "),
    ],
)
def test_a_box_that_is_not_there_is_refused(event: Censor, key: str, problem: str) -> None:
    with pytest.raises(EventError) as caught:
        event.check(topology())
    assert caught.value.key == key
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("event", "note"),
    [
        (
            Censor(at=60.0, censor="ru-tw-2021b", about="the decree"),
            "all lines were set to ru-tw-2021b; flows that were acted on kept what was decided: the decree",
        ),
        (
            Censor(at=60.0, censor=None, lines=("home",), forgets=True),
            "line home were set to no profile: they were cables; all flows were forgotten",
        ),
    ],
)
def test_a_reader_is_told(event: Censor, note: str) -> None:
    assert event.note() == f"from 60 s on the boxes (tspu) of {note}"
