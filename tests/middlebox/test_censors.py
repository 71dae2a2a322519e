"""What the profiles beyond the Twitter slowdown of 2021 do, packet by packet."""

from __future__ import annotations

import pytest

from testbed.middlebox.craft import udp_datagram
from testbed.middlebox.events import Event, InspectionEnded, PacketDelayed, PacketDropped, event_name
from testbed.middlebox.packet import ACK, SYN, Direction, Packet
from tests.middlebox.build import MSS, NS_PER_S, Box, Connection, client_hello, padded, profile
from tests.middlebox.recognise.test_quic import initials

UP, DOWN = Direction.UP, Direction.DOWN
TWITTER = client_hello("twitter.com")
GOOGLEVIDEO = client_hello("rr1---sn-a.googlevideo.com")


def reasons(box: Box) -> list[str]:
    return [event.reason for event in box.events if isinstance(event, InspectionEnded)]


def datagram(payload: bytes, direction: Direction = UP, *, server: str = "192.0.2.1") -> Packet:
    inside, outside = (bytes([10, 0, 0, 1]), 40000), (bytes(map(int, server.split("."))), 443)
    (src, sport), (dst, dport) = (inside, outside) if direction is UP else (outside, inside)
    return Packet.parse(udp_datagram(src=src, sport=sport, dst=dst, dport=dport, payload=payload), direction)


def drops(events: list[Event]) -> int:
    return sum(isinstance(event, PacketDropped) for event in events)


def wire_rate_bps(box: Box, packets: list[Packet], offered_bps: int) -> float:
    """What passes of a steady offer."""
    start, passed = box.now_ns, 0
    for packet in packets:
        box.now_ns += packet.length * 8 * NS_PER_S // offered_bps
        passed += 0 if drops(box.inspector.inspect(packet, box.now_ns)) else packet.length
    return passed * 8 * NS_PER_S / (box.now_ns - start)


def test_youtube_over_tcp_is_held_to_128_kbps_also_with_a_hello_of_two_packets() -> None:
    long = padded(GOOGLEVIDEO, 1800)
    box = Box(profile("ru-yt-2024-tcp")).connect().up(long[:MSS], long[MSS:])
    assert reasons(box) == ["matched"]
    packets = [box.connection.down(bytes(MSS)) for _ in range(2000)]
    assert wire_rate_bps(box, packets, 1_000_000) == pytest.approx(128_000, rel=0.02)


def test_youtube_over_quic_is_held_to_512_kbps() -> None:
    box = Box(profile("ru-yt-2024-quic"))
    box.send(*(datagram(each) for each in initials(protocols=14)))
    assert reasons(box) == ["matched"]
    packets = [datagram(bytes(1250), DOWN)] * 12_000
    assert wire_rate_bps(box, packets, 5_000_000) == pytest.approx(512_000, rel=0.02)


def test_quic_is_dropped_by_version_and_size_but_not_to_spared_servers() -> None:
    initial = initials("example.org")[0]
    for server, dropped in (("192.0.2.1", 3), ("87.240.190.1", 0)):
        box = Box(profile("ru-quic-2022"))
        assert drops(box.send(*[datagram(initial, server=server)] * 3)) == dropped
    box = Box(profile("ru-quic-2022"))
    assert drops(box.send(datagram(initials("example.org", 0x6B3343CF)[0]), datagram(initial))) == 0
    assert reasons(box) == ["gave up"]


def test_a_blocked_quic_flow_is_free_after_420_seconds() -> None:
    box = Box(profile("ru-quic-2022"))
    box.send(datagram(initials("example.org")[0]))
    box.wait(419)
    assert drops(box.send(datagram(bytes(50)))) == 1
    box.wait(2)
    assert drops(box.send(datagram(bytes(50)))) == 0


def test_16_kb_pass_and_then_nothing_either_way() -> None:
    box = Box(profile("ru-16k-2025"), connection=Connection(outside="104.16.1.1")).connect()
    box.up(client_hello("example.org"))
    delivered = sum(1000 for _ in range(100) if not drops(box.send(box.connection.down(bytes(1000)))))
    assert delivered == 16_000
    box.wait(300)
    assert box.loses(DOWN, packets=5) == 5
    assert box.loses(UP, packets=100) == 100 - 16_384 // MSS
    assert drops(box.send(box.connection.packet(DOWN))) == 0


@pytest.mark.parametrize(
    ("server", "name"), [("192.0.2.1", "example.org"), ("104.16.1.1", "vk.com"), ("104.16.1.1", "www.gosuslugi.ru")]
)
def test_other_servers_and_allowed_names_are_not_frozen(server: str, name: str) -> None:
    box = Box(profile("ru-16k-2025"), connection=Connection(outside=server)).connect().up(client_hello(name))
    assert box.loses(DOWN, packets=100) == 0


def test_degradation_passes_about_one_packet_in_twenty() -> None:
    box = Box(profile("eco-degrade")).connect().up(client_hello("example.org"))
    assert 2000 - box.loses(DOWN, packets=2000) == pytest.approx(100, abs=35)


def test_the_upload_shaper_delays_all_traffic_and_drops_nothing_at_first() -> None:
    box = Box(profile("tele2-3g-up"))
    first, second = Connection(inside_port=1), Connection(inside_port=2)
    packets = [each.packet(UP, ACK, bytes(MSS)) for _ in range(10) for each in (first, second)]
    events = [box.inspector.inspect(packet, 0) for packet in packets]
    assert event_name(events[0][0]) == "throttling_started"
    delays = [each.delay_ns for event in events for each in event if isinstance(each, PacketDelayed)]
    assert delays == sorted(delays)
    assert len(delays) >= 18
    assert box.inspector.inspect(first.down(bytes(MSS)), 0) == []
    assert {event.flow for each in events for event in each} == {0}


def test_a_whole_country_is_slowed_down_in_both_directions_whatever_the_protocol() -> None:
    box = Box(profile("ir-2011"))
    icmp = Packet.parse(b"\x45\x00\x05\xdc" + bytes(5) + b"\x01" + bytes(1490), UP)
    for packet in (icmp, datagram(bytes(1400)), Connection().down(bytes(MSS))):
        assert any(isinstance(event, PacketDelayed) for _ in range(30) for event in box.inspector.inspect(packet, 0))


def test_a_box_that_sees_only_the_clients_packets_drops_only_those() -> None:
    box = Box(profile("upstream-only")).connect().up(TWITTER)
    assert reasons(box) == ["matched"]
    assert box.loses(DOWN, packets=20) == 0
    assert box.loses(UP, packets=20) >= 12


def test_a_split_handshake_evades_in_2022_and_not_in_2021() -> None:
    for name, evades in (("ru-2022-II", True), ("ru-tw-2021a", False)):
        box = Box(profile(name))
        ours, theirs = box.connection.packet(UP, SYN), box.connection.packet(DOWN, SYN)
        box.send(ours, theirs, box.connection.packet(UP, SYN | ACK), box.connection.packet(DOWN, ACK))
        box.up(TWITTER)
        assert ("matched" not in reasons(box)) is evades


def test_blocking_by_address_needs_no_hello() -> None:
    rules = [{"id": "server", "address": ["192.0.2.0/24"]}]
    box = Box(profile("ru-2022-IV", rules=rules)).connect()
    assert reasons(box) == ["matched"]
    assert drops(box.events) == 3
    other = Box(profile("ru-2022-IV", rules=rules), connection=Connection(outside="198.51.100.1")).connect()
    assert drops(other.events) == 0
