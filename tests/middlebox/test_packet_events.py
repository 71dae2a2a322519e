from __future__ import annotations

from testbed.middlebox.events import PacketDelayed, PacketDropped, PacketHeld, PacketInjected, PacketRewritten
from testbed.middlebox.packet import Direction
from testbed.middlebox.packet_events import (
    packet_delayed,
    packet_dropped,
    packet_held,
    packet_injected,
    packet_rewritten,
)
from tests.middlebox.build import Connection


def test_the_event_tells_the_packet_apart() -> None:
    connection = Connection()
    packet = connection.down(bytes(100))
    assert packet_dropped(4, packet, 9, "why") == PacketDropped(
        t_ns=9,
        flow=4,
        direction=Direction.DOWN,
        seq=5000,
        ack=1000,
        payload_length=100,
        ip_id=1,
        length=140,
        reason="why",
    )


def test_what_becomes_of_a_packet_names_it_by_what_its_headers_say() -> None:
    packet = Connection().down(bytes(100))
    assert packet_delayed(4, packet, 9, "shaper", departure_ns=19) == PacketDelayed(
        t_ns=9, flow=4, direction=Direction.DOWN, seq=5000, payload_length=100, ip_id=1, length=140, delay_ns=10,
        reason="shaper",
    )  # fmt: skip
    assert packet_held(packet, 9) == PacketHeld(t_ns=9, flow=0, direction=Direction.DOWN, ip_id=1, offset=0, length=140)
    assert packet_rewritten(4, packet, 9, "why", data=b"x") == PacketRewritten(
        t_ns=9, flow=4, direction=Direction.DOWN, seq=5000, ack=1000, ip_id=1, length=140, data=b"x", reason="why"
    )
    assert packet_injected(4, packet, 9, "why", data=packet.data) == PacketInjected(
        t_ns=9, flow=4, direction=Direction.DOWN, flags=packet.flags, seq=5000, ack=1000, payload_length=100,
        data=packet.data, reason="why",
    )  # fmt: skip
