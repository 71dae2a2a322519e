"""A box that has rehearsed does the same as one that has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.middlebox.adapters import rehearsal
from testbed.middlebox.adapters.execution import Execution
from testbed.middlebox.packet import Direction
from tests.middlebox.build import Connection, client_hello, profile, profile_names
from tests.middlebox.live import LiveByHand

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.middlebox.events import Event
    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile import Profile

S = 1_000_000_000


def events_of(censor: Profile) -> list[Event]:
    """What a box says of a connection to a throttled name, and of a second one."""
    live = LiveByHand(censor, seed=7)
    said: list[Event] = []
    for port, name in ((1024, "twitter.com"), (1025, "example.com")):
        connection = Connection(inside_port=port)
        hello = connection.up(client_hello(name))
        for packet in (*connection.handshake(), hello, *(connection.down(bytes(1400)) for _ in range(40))):
            live.poll(packet, S, S)
            said += live.last
            live.last = []
    return said


@pytest.mark.parametrize("name", [name for name in profile_names() if "tls" in profile(name).trigger.recognisers])
def test_a_rehearsal_changes_nothing_that_follows(name: str) -> None:
    censor = profile(name)
    before = events_of(censor)
    assert before
    rehearsal.rehearse(censor)
    assert events_of(censor) == before


def test_a_box_that_is_a_cable_rehearses_too() -> None:
    rehearsal.rehearse(None)


def test_a_rehearsal_goes_through_what_a_first_packet_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens flows, and inspects what both ends send: it would be of no use otherwise."""
    made: list[Watched] = []

    class Watched(Execution):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.seen: set[Direction] = set()
            made.append(self)

        def on_packet(self, queued: Any, packet: Packet, arrived_ns: int, clock_ns: Callable[[], int]) -> None:
            super().on_packet(queued, packet, arrived_ns, clock_ns)
            self.seen.add(packet.direction)

    monkeypatch.setattr(rehearsal, "Execution", Watched)
    rehearsal.rehearse(profile())
    [execution] = made
    assert execution.inspector.flow_count == rehearsal._FLOWS
    assert execution.seen == set(Direction)
