"""An impairment: what is refused, what it does to a link, and what readers are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import ScenarioError
from testbed.guest.events.impairment import Impairment
from testbed.guest.timed_event import EventError
from tests.guest.events.test_outage import topology
from tests.scenario.plans import first_day

if TYPE_CHECKING:
    from testbed.guest.timed_event import TimedEvent
    from testbed.records.jsonl import Json

LOSSY = Impairment(link=("gateway", "state"), from_=10.0, until=20.0, about="fog", delay=0.2, loss=0.03)


class Noted:
    """Effects that are written down instead of being carried out."""

    def __init__(self) -> None:
        self.done: list[tuple[str, object]] = []

    def alter_link(self, ends: tuple[str, str], by: TimedEvent, **options: float | str) -> None:
        del by
        self.done.append((" ".join(ends), options))

    def set_rate(self, near: str, far: str, rate_bps: int) -> None:
        self.done.append((f"{near} {far}", rate_bps))

    def restore_link(self, ends: tuple[str, str], by: TimedEvent) -> None:
        del by
        self.done.append((" ".join(ends), None))

    def record(self, event: str, **fields: Json) -> None:
        self.done.append((event, fields["about"]))


def test_it_alters_what_it_names_and_takes_it_back() -> None:
    effects = Noted()
    for change in LOSSY.changes():
        change.carry_out(effects)
    assert [change.at_s for change in LOSSY.changes()] == [10.0, 20.0]
    assert effects.done == [
        ("gateway state", {"delay": "200.000000ms", "loss": 3.0}), ("link_impaired", "fog"),
        ("gateway state", None), ("link_restored", "fog"),
    ]  # fmt: skip


def test_readers_are_told_what_it_was() -> None:
    assert (
        LOSSY.note()
        == "the link between gateway and state was impaired from 10 s to 20 s (delay 200 ms, loss 3 %): fog"
    )


@pytest.mark.parametrize(
    ("link", "problem"),
    [(("gateway", "moon"), "no link between gateway and moon"), (("mobile-r3", "mobile-tspu"), "is a middlebox")],
)
def test_a_link_that_cannot_be_impaired_is_refused(link: tuple[str, str], problem: str) -> None:
    with pytest.raises(EventError, match=problem):
        Impairment(link=link, from_=0.0, until=1.0, about="", loss=0.1).check(topology())


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("from: 10 s, until: 5 s, loss: 1 %", "expected 'until' after 'from'"),
        ("from: 1 s, until: 5 s", "expected at least one of 'delay', 'jitter', 'loss' and 'rate'"),
        ("from: 1 s, until: 5 s, loss: 3", "expected a share such as '2 %', got 3"),
        ("from: 1 s, until: 5 s, speed: 1 Mbit/s", "unknown key"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_scenario(words: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        first_day(f"events=[{{impairment: {{link: [gateway, state], about: x, {words}}}}}]")


@pytest.mark.parametrize(
    ("other", "is_refused"),
    [
        ({"delay": 0.2}, True),
        ({"delay": 0.1}, False),
        ({"loss": 0.1}, False),
        ({"delay": 0.2, "from_": 9.0, "until": 12.0}, False),
        ({"delay": 0.2, "from_": 8.9, "until": 12.0}, True),
        ({"delay": 0.2, "link": ("b", "a")}, True),
        ({"delay": 0.2, "link": ("a", "c")}, False),
    ],
)
def test_two_that_overlap_must_not_differ(other: dict[str, Any], *, is_refused: bool) -> None:
    first = Impairment(link=("a", "b"), from_=1.0, until=9.0, about="", delay=0.1)
    second = Impairment(**{"link": ("a", "b"), "from_": 2.0, "until": 5.0, "about": "", **other})
    assert bool(first.contradicts(second)) is is_refused
    assert bool(second.contradicts(first)) is is_refused


@pytest.mark.parametrize(
    ("links", "rate", "problem"),
    [
        ("[]", "1 Mbit/s", "no rate each way"),
        ("[{between: [transit, origin], toward: origin, rate: 8 Mbit/s}]", "1 Mbit/s", "no rate each way"),
        ("[{between: [transit, origin], trace: cellular-fast}]", "1 Mbit/s", "follows a trace"),
        ("[{between: [transit, origin], rate: 8 Mbit/s}]", "8 bit/s", "1000 bit/s or more"),
    ],
)
def test_a_rate_that_cannot_change_is_refused(links: str, rate: str, problem: str) -> None:
    event = f"{{impairment: {{link: [transit, origin], from: 1 s, until: 2 s, about: x, rate: {rate}}}}}"
    with pytest.raises(ScenarioError, match=rf"events\.0\.impairment\.rate: .*{problem}"):
        first_day(f"links={links}", f"events=[{event}]")
