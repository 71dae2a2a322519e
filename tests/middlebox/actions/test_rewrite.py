from __future__ import annotations

from scapy.layers.inet import IP, TCP

from testbed.middlebox.events import PacketRewritten
from testbed.middlebox.packet import ACK, RST
from tests.middlebox.actions.build import TWITTER, is_well_formed
from tests.middlebox.build import Box, problems, profile


def test_rewrite_turns_answers_into_resets() -> None:
    box = Box(profile("ru-2022-I")).connect().up(TWITTER)
    answer = box.connection.down(bytes(1200))
    (event,) = box.send(answer)
    assert isinstance(event, PacketRewritten)
    assert is_well_formed(event.data)
    segment = IP(event.data)[TCP]
    assert (segment.flags.value, segment.seq, segment.ack, bytes(segment.payload)) == (
        RST | ACK,
        answer.seq,
        answer.ack,
        b"",
    )
    assert box.send(box.connection.up(b"more")) == []


def test_what_the_client_sends_is_not_rewritten() -> None:
    found = problems("ru-2022-I", action__directions=["up", "down"])
    assert found == {"action.directions": "rewrite turns the server's packets into resets; expected [down]"}
