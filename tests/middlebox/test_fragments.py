from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.inet import fragment as scapy_fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.inet6 import fragment6 as scapy_fragment6

from testbed.middlebox.craft import fragments
from testbed.middlebox.events import Event, HelloSeen, PacketDropped, PacketHeld, PacketInjected, event_name
from testbed.middlebox.fragments import FragmentBuffer, joined
from testbed.middlebox.packet import Direction, Packet
from tests.middlebox.build import Box, Connection, client_hello, profile

UP = Direction.UP
HELLO = client_hello("twitter.com")


def pieces_of(whole: Packet, size: int = 104) -> list[Packet]:
    return [Packet.parse(bytes(each), UP) for each in scapy_fragment(IP(whole.data), size)]  # type: ignore[no-untyped-call]


def hold_all(pieces: list[Packet]) -> list[Packet]:
    buffer = FragmentBuffer()
    complete: list[Packet] = []
    for piece in pieces:
        assert not complete
        complete = buffer.hold(piece, 0)[1]
    return complete


@given(st.randoms(use_true_random=False), st.sampled_from([8, 104, 256]))
def test_fragments_in_any_order_make_up_the_datagram(random: object, size: int) -> None:
    whole = Connection().up(HELLO)
    pieces = pieces_of(whole, size)[:45]
    if len(pieces_of(whole, size)) > 45:
        return
    random.shuffle(pieces)  # type: ignore[attr-defined]
    again = joined(hold_all(pieces))
    assert (again.payload, again.key, again.malformed, again.is_fragment) == (HELLO, whole.key, None, False)
    assert again.data == whole.data[:6] + b"\0\0" + whole.data[8:10] + again.data[10:12] + whole.data[12:]


def test_ipv6_fragments_make_up_the_datagram() -> None:
    whole = Connection("2001:db8::1", "2001:db8::2").up(HELLO)
    layers = IPv6(whole.data)
    del layers.plen
    layers.nh = 44
    layers.payload = IPv6ExtHdrFragment(id=7) / layers.payload
    pieces = [Packet.parse(bytes(each), UP) for each in scapy_fragment6(layers, 256)]  # type: ignore[no-untyped-call]
    assert joined(hold_all(pieces)).data == whole.data


@given(payload=st.binary(min_size=300, max_size=900), size=st.sampled_from([8, 16, 104]), options=st.integers(1, 3))
def test_headers_that_were_cut_with_the_datagram_are_a_part_of_it(payload: bytes, size: int, options: int) -> None:
    """Options of the destination stand in the first fragment: neither its length nor its protocol is TCP's."""
    layers = IPv6(Connection("2001:db8::1", "2001:db8::2").up(payload).data)
    del layers.plen, layers.nh
    for _ in range(options):
        layers.payload = IPv6ExtHdrDestOpt() / layers.payload
    whole = Packet.parse(bytes(layers), UP)
    pieces = [Packet.parse(each, UP) for each in fragments(whole.data, size, ip_id=70_000)][:45]
    if pieces[-1].more_fragments:
        return  # more than a box takes
    assert len({(piece.protocol, piece.ip_id) for piece in pieces}) == 1
    again = joined(hold_all(pieces))
    assert (again.data, again.payload, again.key, again.ip_id) == (whole.data, payload, whole.key, 70_000)


def test_an_incomplete_datagram_stays_held() -> None:
    assert hold_all(pieces_of(Connection().up(HELLO))[:-1]) == []
    assert hold_all(pieces_of(Connection().up(HELLO))[1:]) == []


def test_where_fragments_overlap_the_first_counts() -> None:
    pieces = pieces_of(Connection().up(b"A" * 60), 40)
    second = pieces[1]
    forged = Packet.parse(second.data[:20] + b"B" * len(second.body), UP)
    assert joined(hold_all([second, forged, pieces[0]])).payload == b"A" * 60
    assert joined(hold_all([forged, second, pieces[0]])).payload == b"A" * 20 + b"B" * 40


def test_more_than_45_fragments_are_refused() -> None:
    buffer = FragmentBuffer()
    pieces = pieces_of(Connection().up(bytes(1400)), 24)
    assert len(pieces) > 46
    events = [event for piece in pieces for event in buffer.hold(piece, 0)[0]]
    assert [event_name(event) for event in events[:46]] == ["packet_held"] * 45 + ["packet_dropped"]


def test_waiting_fragments_are_bounded_in_time_and_number() -> None:
    buffer = FragmentBuffer()
    piece = pieces_of(Connection().up(HELLO))[0]
    for number in range(5000):
        buffer.hold(piece._replace(ip_id=number), number)
    assert len(buffer._waiting) <= 1024
    buffer.hold(piece, 31 * 10**9)
    assert len(buffer._waiting) == 1


def send_in_fragments(policy: str) -> tuple[Box, list[Event]]:
    box = Box(profile(inspection__fragments=policy)).connect()
    pieces = pieces_of(box.connection.up(HELLO))
    first, *others = pieces
    return box, box.send(first, *(Packet.parse(each.data[:8] + b"\x20" + each.data[9:], UP) for each in others))


@pytest.mark.parametrize(
    ("policy", "seen", "throttled"),
    [("pass", False, False), ("drop", False, False), ("hold", False, False), ("reassemble", True, True)],
)
def test_policies_differ_in_whether_the_hello_is_found(policy: str, *, seen: bool, throttled: bool) -> None:
    box, events = send_in_fragments(policy)
    assert any(isinstance(event, HelloSeen) for event in events) is seen
    assert box.throttles() is throttled


def test_a_datagram_that_is_rewritten_is_sent_in_one_piece() -> None:
    box = Box(profile("ru-2022-I", inspection__fragments="reassemble")).connect().up(client_hello("twitter.com"))
    events = box.send(
        *(piece._replace(direction=Direction.DOWN) for piece in pieces_of(box.connection.down(bytes(400))))
    )
    held, sent = [[each for each in events if isinstance(each, cls)] for cls in (PacketHeld, PacketInjected)]
    assert len(held) > 3
    assert [(IP(each.data)["TCP"].flags, each.payload_length) for each in sent if isinstance(each, PacketInjected)] == [
        ("RA", 0)
    ]
    assert len(held) + len(sent) == len(events)


def test_dropped_fragments_are_told() -> None:
    _, events = send_in_fragments("drop")
    assert len(events) > 3
    assert {event_name(event) for event in events} == {"packet_dropped"}


@pytest.mark.parametrize("policy", ["hold", "reassemble"])
def test_held_fragments_come_out_with_the_ttl_of_the_first(policy: str) -> None:
    _, events = send_in_fragments(policy)
    held = [event for event in events if isinstance(event, PacketHeld)]
    injected = [event for event in events if isinstance(event, PacketInjected)]
    assert len(held) == len(injected) > 3
    assert {IP(event.data).ttl for event in injected} == {64}
    for event in injected:
        again = IP(event.data)
        expected = again.chksum
        del again.chksum
        assert IP(bytes(again)).chksum == expected
    assert not any(isinstance(event, PacketDropped) for event in events)


@pytest.mark.parametrize("policy", ["hold", "reassemble"])
@pytest.mark.parametrize(("end", "fits"), [(65_535, True), (65_536, False), (65_528 + 1500, False)])
def test_a_datagram_longer_than_its_length_field_is_never_put_together(policy: str, end: int, *, fits: bool) -> None:
    """Fragments may begin anywhere up to byte 65,528: a datagram of up to 128 kB can be described, but not exist."""
    box = Box(profile(inspection__fragments=policy))
    whole = Connection().up(b"\xaa" * 20)
    body = bytes(end - 20)
    pieces = []
    for at in range(0, len(body), 8000):
        piece = body[at : at + 8000]
        flags = (at // 8 | (0x2000 if at + 8000 < len(body) else 0)).to_bytes(2, "big")
        header = whole.data[:2] + (20 + len(piece)).to_bytes(2, "big") + whole.data[4:6] + flags + whole.data[8:20]
        pieces.append(Packet.parse(header + piece, UP))
    events = box.send(*pieces)
    dropped = [event.reason for event in events if isinstance(event, PacketDropped)]
    assert dropped == ([] if fits else ["datagram too long"])
    assert any(isinstance(event, PacketInjected) for event in events) is fits


@pytest.mark.parametrize("length", [0, 19, 20, 200])
@pytest.mark.parametrize("policy", ["hold", "reassemble"])
def test_a_fragment_whose_length_cannot_be_is_dropped(policy: str, length: int) -> None:
    box = Box(profile(inspection__fragments=policy))
    first, *others = pieces_of(Connection().up(HELLO))
    lying = Packet.parse(first.data[:2] + length.to_bytes(2, "big") + first.data[4:], UP)
    events = box.send(*others, lying)
    assert [event.reason for event in events if isinstance(event, PacketDropped)] == ["malformed fragment"]
    assert not any(isinstance(event, PacketInjected) for event in events)
