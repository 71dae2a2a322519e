"""A box whose profile changes: what it keeps of flows, what it forgets, and how it numbers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.middlebox.events import Event, FlowForgotten, FlowOpened, PacketDropped, ProfileChanged, ThrottlingStarted
from testbed.middlebox.packet import SYN, Direction
from testbed.middlebox.succession import ProfileChange, Succession
from tests.middlebox.build import Connection, client_hello, profile

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

UP = Direction.UP
S = 1_000_000_000
HELLO = client_hello("twitter.com")


def begin(box: Succession, connection: Connection, t_ns: int, hello: bytes = HELLO) -> list[Event]:
    events = box.change(t_ns)
    for packet in (*connection.handshake(), connection.up(hello)):
        events += box.inspect(packet, t_ns)
    return events


def box(first: Profile | None, *changes: ProfileChange) -> Succession:
    return Succession(first, seed=1, changes=changes)


def change(to: Profile | None, *, at_s: int = 10, forgets: bool = False) -> ProfileChange:
    return ProfileChange(at_ns=at_s * S, profile=to, forgets=forgets)


def drops(there: Succession, connection: Connection, t_ns: int) -> int:
    """How many of fifty full packets to the client are dropped."""
    events = [event for _ in range(50) for event in there.inspect(connection.down(bytes(1400)), t_ns)]
    return sum(isinstance(event, PacketDropped) for event in events)


@pytest.mark.parametrize(("forgets", "is_throttled"), [(False, True), (True, False)])
@pytest.mark.parametrize("after", [None, "isp-block"])
def test_a_flow_that_is_throttled_stays_so_unless_the_change_forgets(
    after: str | None, *, forgets: bool, is_throttled: bool
) -> None:
    there = box(profile(), change(None if after is None else profile(after), forgets=forgets))
    connection = Connection()
    assert any(isinstance(event, ThrottlingStarted) for event in begin(there, connection, S))
    events = there.change(10 * S)
    forgotten = [event.reason for event in events if isinstance(event, FlowForgotten)]
    assert forgotten == (["profile changed"] if forgets else [])
    assert events[-1] == ProfileChanged(t_ns=10 * S, flow=0, profile=None if after is None else after, forgets=forgets)
    assert (drops(there, connection, 11 * S) > 0) is is_throttled


def test_a_box_without_a_profile_gets_one_later() -> None:
    there = box(None, change(profile()))
    assert begin(there, Connection(inside_port=1), S) == []
    assert there.followed == []
    assert there.next_change_ns() == 10 * S
    events = begin(there, Connection(inside_port=2), 10 * S)
    assert isinstance(events[0], ProfileChanged)
    assert any(isinstance(event, ThrottlingStarted) for event in events)
    assert there.next_change_ns() is None


def test_before_its_instant_nothing_changes() -> None:
    there = box(profile(), change(None))
    assert there.change(10 * S - 1) == []
    assert there.change(10 * S) != []


def test_flows_that_nothing_is_done_to_are_forgotten_and_met_anew() -> None:
    there = box(profile(), change(profile("isp-block")))
    innocent = Connection()
    begin(there, innocent, S, client_hello("example.com"))
    assert [event.reason for event in there.change(10 * S) if isinstance(event, FlowForgotten)] == ["profile changed"]
    opened = next(event for event in there.inspect(innocent.up(b"x"), 11 * S) if isinstance(event, FlowOpened))
    assert opened.opened_by == "unknown"


def test_numbers_of_flows_go_on_after_a_change() -> None:
    there = box(profile(), change(profile()), change(None, at_s=20), change(profile(), at_s=30))
    found = [
        event.flow
        for port, t_s in enumerate((1, 2, 11, 31), 1000)
        for event in begin(there, Connection(inside_port=port), t_s * S)
        if isinstance(event, FlowOpened)
    ]
    assert found == [1, 2, 3, 4]


def test_a_throttled_flow_that_is_over_belongs_to_the_new_profile() -> None:
    there = box(profile(), change(profile()))
    connection = Connection()
    begin(there, connection, S)
    there.change(10 * S)
    events = there.inspect(connection.packet(UP, SYN), 3600 * S)
    assert [type(event) for event in events[:2]] == [FlowForgotten, FlowOpened]
    assert events[1].flow == 2


def test_both_profiles_are_followed_while_the_first_acts_on_flows() -> None:
    there = box(profile(), change(profile("isp-block")), change(profile("isp-block"), at_s=20, forgets=True))
    begin(there, Connection(), S)
    there.change(10 * S)
    assert [each.name for each, _ in there.followed] == ["ru-tw-2021a", "isp-block"]
    there.change(20 * S)
    assert [each.name for each, _ in there.followed] == ["isp-block"]
    assert there.flow_count == 0


def test_timers_go_for_flows_of_every_profile() -> None:
    there = box(profile(), change(profile()))
    begin(there, Connection(inside_port=1), S)
    first_ns = there.next_expiry_ns()
    begin(there, Connection(inside_port=2), 11 * S)
    assert there.next_expiry_ns() == first_ns
    assert there.due(7200 * S) == [1, 2]
    assert [event.flow for event in there.expire(7200 * S) if isinstance(event, FlowForgotten)] == [1, 2]
