from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import CaptureError
from testbed.middlebox.adapters.pcap import CaptureInspection, Row, Sides
from testbed.middlebox.adapters.wire import Wire
from testbed.middlebox.craft import udp_datagram
from testbed.middlebox.packet import ACK, PSH, SYN, Direction, Packet
from testbed.records.capture_file import Frame
from tests.capture.frames import (
    CLIENT,
    CLIENT_6,
    SERVER,
    SERVER_6,
    START_US,
    Stamped,
    block,
    ethernet,
    options,
    pcap,
    pcapng,
    tcp,
)
from tests.middlebox.build import Connection, client_hello, padded, profile
from tests.records.test_link_layer import carried

if TYPE_CHECKING:
    from pathlib import Path

TWITTER = client_hello("twitter.com")
BIG_HELLO = padded(TWITTER, 1981)  # as long as today's browsers make them


def conversation(
    hello: bytes = TWITTER, *, mss: int | None = 1460, ends: tuple[tuple[str, int], tuple[str, int]] = (CLIENT, SERVER),
    timestamps: bool = True, data: int = 30, segment: int = 1400,
) -> list[bytes]:  # fmt: skip
    """A handshake, a hello and a download, as IP packets."""
    client, server = ends
    syn, later = options(mss=mss, timestamps=timestamps), options(timestamps=timestamps)
    return [
        tcp(client, server, seq=100, flags=SYN, tcp_options=syn),
        tcp(server, client, seq=500, ack=101, flags=SYN | ACK, tcp_options=syn),
        tcp(client, server, seq=101, ack=501, flags=PSH | ACK, payload=hello, tcp_options=later),
        *(
            tcp(server, client, seq=501 + at * segment, ack=101 + len(hello), payload=bytes(segment), tcp_options=later)
            for at in range(data)
        ),
    ]


def inspected(path: Path, frames: list[bytes], *, link_type: int = 101, inside: tuple[str, ...] = (),
              name: str = "ru-tw-2021a", snap: int = 1 << 20) -> tuple[list[Row], list[str]]:  # fmt: skip
    stamped = [Stamped(START_US + i * 10_000, frame[:snap], len(frame)) for i, frame in enumerate(frames)]
    path.write_bytes(pcap(stamped, link_type=link_type))
    inspection = CaptureInspection(path, profile(name), inside=inside)
    return list(inspection), inspection.sentences()


def matched(rows: list[Row]) -> bool:
    return any(type(event).__name__ == "RuleMatched" for row in rows for event in row.events)


def test_a_hello_that_offload_shows_in_one_segment_is_two_on_the_wire(tmp_path: Path) -> None:
    rows, notes = inspected(tmp_path / "a.pcap", conversation(BIG_HELLO))
    assert [row.packet.payload_length for row in rows if row.number == 3] == [1448, len(BIG_HELLO) - 1448]
    assert not matched(rows)
    assert any("cut into segments" in note for note in notes)
    assert matched(inspected(tmp_path / "b.pcap", conversation(TWITTER))[0])


@pytest.mark.parametrize("ends", [(CLIENT, SERVER), (CLIENT_6, SERVER_6)])
def test_segments_go_on_where_those_before_end(tmp_path: Path, ends: tuple[tuple[str, int], tuple[str, int]]) -> None:
    rows, _ = inspected(tmp_path / "a.pcap", conversation(ends=ends, data=3, segment=4000))
    for number in (4, 5, 6):
        pieces = [row.packet for row in rows if row.number == number]
        assert [piece.payload_length for piece in pieces] == [1448, 1448, 1104]
        assert [piece.seq - pieces[0].seq for piece in pieces] == [0, 1448, 2896]
        assert len({piece.ip_id for piece in pieces}) == (3 if ends[0] == CLIENT else 1)
        assert all(piece.malformed is None for piece in pieces)


def test_the_smaller_of_both_announcements_counts(tmp_path: Path) -> None:
    frames = conversation(BIG_HELLO, timestamps=False)
    frames[1] = tcp(SERVER, CLIENT, seq=500, ack=101, flags=SYN | ACK, tcp_options=options(mss=900))
    rows, _ = inspected(tmp_path / "a.pcap", frames)
    assert [row.packet.payload_length for row in rows if row.number == 3] == [900, 900, len(BIG_HELLO) - 1800]


def test_without_the_handshake_it_says_that_it_cannot_know(tmp_path: Path) -> None:
    rows, notes = inspected(tmp_path / "a.pcap", conversation(BIG_HELLO)[2:])
    assert [row.packet.payload_length for row in rows if row.number == 1] == [len(BIG_HELLO)]
    assert any("is not known" in note and "frame 1" in note for note in notes)


def test_a_long_udp_datagram_is_not_known_either(tmp_path: Path) -> None:
    data = udp_datagram(src=bytes([10, 0, 0, 1]), dst=bytes([192, 0, 2, 1]), sport=9, dport=443, payload=bytes(4000))
    _, notes = inspected(tmp_path / "a.pcap", [data])
    assert any("is not known" in note for note in notes)


@pytest.mark.parametrize("ends", [(CLIENT, SERVER), (CLIENT_6, SERVER_6)])
def test_a_length_of_zero_goes_on_to_the_end_of_the_frame(
    tmp_path: Path, ends: tuple[tuple[str, int], tuple[str, int]]
) -> None:
    frames = conversation(ends=ends)
    at = 2 if ends[0] == CLIENT else 4
    frames[2] = frames[2][:at] + b"\0\0" + frames[2][at + 2 :]
    frames[3] = frames[3][:at] + b"\0\0" + frames[3][at + 2 :] + bytes(70_000)  # too long for the field
    rows, _ = inspected(tmp_path / "a.pcap", frames)
    assert matched(rows)
    assert sum(row.packet.payload_length for row in rows if row.number == 4) == 71_400
    assert max(row.packet.payload_length for row in rows if row.number == 4) == 1448


def test_a_jumbogram_is_read_and_cut(tmp_path: Path) -> None:
    frames = conversation(ends=(CLIENT_6, SERVER_6), data=1)
    body = frames[3][40:] + bytes(70_000)
    jumbo = bytes([6, 0, 0xC2, 4]) + struct.pack("!I", len(body) + 8)
    frames[3] = frames[3][:4] + b"\0\0\0" + frames[3][7:40] + jumbo + body
    rows, _ = inspected(tmp_path / "a.pcap", frames)
    assert sum(row.packet.payload_length for row in rows if row.number == 4) == 71_400


def test_a_hello_cut_by_the_snap_length_is_told(tmp_path: Path) -> None:
    rows, notes = inspected(tmp_path / "a.pcap", conversation(), snap=100)
    assert all(row.packet.malformed is None for row in rows)
    assert rows[3].packet.length == 1400 + 52
    assert any("frame 3" in note and "tcpdump -s 0" in note for note in notes)


def test_a_lying_length_makes_no_memory(tmp_path: Path) -> None:
    frames = conversation()
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([Stamped(START_US, frames[0][:2] + b"\0\0" + frames[0][4:], (1 << 32) - 1)], link_type=101))
    assert [len(row.packet.data) for row in CaptureInspection(path, profile())] == [len(frames[0])]


COOKED = bytes(14) + b"\x08\x00"


def test_copies_of_all_interfaces_count_once(tmp_path: Path) -> None:
    once = conversation()
    for number, frame in enumerate(once):
        once[number] = frame[:4] + struct.pack("!H", number + 1) + frame[6:]
    forwarded = [frame[:8] + bytes([frame[8] - 1]) + frame[9:] for frame in once]
    stamped = [
        Stamped(START_US + i * 10_000 + copy * 20, COOKED + frame)
        for i, pair in enumerate(zip(once, once, forwarded, strict=True))
        for copy, frame in enumerate(pair)
    ]
    path = tmp_path / "any.pcap"
    path.write_bytes(pcap(stamped, link_type=113))
    inspection = CaptureInspection(path, profile())
    single, _ = inspected(tmp_path / "one.pcap", once)
    assert [row.dropped for row in inspection] == [row.dropped for row in single]
    assert any(f"{2 * len(once)} packets captured more than once" in note for note in inspection.sentences())


def test_a_packet_that_was_sent_twice_counts_twice(tmp_path: Path) -> None:
    frames = conversation()
    rows, _ = inspected(tmp_path / "a.pcap", [*frames[:3], frames[2], *frames[3:]])
    assert len(rows) == len(frames) + 1


def test_a_tunnel_is_named_and_judged_as_a_box_sees_it(tmp_path: Path) -> None:
    rows, notes = inspected(
        tmp_path / "a.pcap", [carried(4, frame) for frame in conversation()], inside=("10.0.0.0/8",)
    )
    assert not matched(rows)
    assert any("IPIP tunnels" in note for note in notes)


def test_both_ends_at_one_address_are_told_apart_by_ports(tmp_path: Path) -> None:
    here = ("127.0.0.1", 40000), ("127.0.0.1", 443)
    rows, _ = inspected(tmp_path / "a.pcap", conversation(ends=here))
    assert [row.packet.direction for row in rows[:4]] == [Direction.UP, Direction.DOWN, Direction.UP, Direction.DOWN]
    assert matched(rows)
    swapped = ("127.0.0.1", 443), ("127.0.0.1", 40000)  # who sends the SYN is inside, whatever the ports
    rows, _ = inspected(tmp_path / "b.pcap", conversation(ends=swapped))
    assert [row.packet.direction for row in rows[:2]] == [Direction.UP, Direction.DOWN]


def test_a_protocol_that_the_profile_does_not_follow_needs_no_side(tmp_path: Path) -> None:
    dns = udp_datagram(src=bytes([10, 9, 9, 9]), dst=bytes([10, 8, 8, 8]), sport=53, dport=5353, payload=b"x")
    rows, notes = inspected(tmp_path / "a.pcap", [dns, *conversation()])
    assert matched(rows)
    assert any("does not follow" in note for note in notes)
    stray = tcp(("10.9.9.9", 1), ("10.8.8.8", 2))
    with pytest.raises(CaptureError, match="cannot tell which"):
        inspected(tmp_path / "b.pcap", [stray])


@pytest.mark.parametrize("inside", [("172.16.0.0/12",), ("10.0.0.0/8", "172.16.0.0/12")])
def test_an_inside_that_matches_nothing_is_an_error(tmp_path: Path, inside: tuple[str, ...]) -> None:
    with pytest.raises(CaptureError, match=r"no packet from or to --inside 172\.16\.0\.0/12"):
        inspected(tmp_path / "a.pcap", conversation(), inside=inside)


def test_packets_of_one_side_are_counted_as_left_out() -> None:
    sides = Sides(["10.0.0.0/8"])
    sides.direction(Connection("10.0.0.1", "10.0.0.2").up(b"x"), 1)
    assert sides.sentences() == ["1 packets left out: between two addresses inside"]


def test_other_interfaces_are_passed_over_and_named(tmp_path: Path) -> None:
    named = struct.pack("<HHI", 220, 0, 0) + struct.pack("<HH8s", 2, 7, b"usbmon0") + bytes(4)
    path = tmp_path / "a.pcapng"
    frames = pcapng([Stamped(START_US + i, ethernet(frame)) for i, frame in enumerate(conversation())])
    usb = block(6, struct.pack("<IIIII", 1, 0, 0, 8, 8) + bytes(8))
    path.write_bytes(pcapng([]) + block(1, named) + usb + frames[len(pcapng([])) :])
    inspection = CaptureInspection(path, profile())
    rows = list(inspection)
    assert matched(rows)
    assert rows[0].number == 2
    assert any("usbmon0" in note for note in inspection.sentences())


@given(
    st.lists(st.tuples(st.binary(max_size=200), st.integers(0, 3000), st.integers(0, 4000)), min_size=1, max_size=30)
)
def test_any_datagram_is_taken_and_no_byte_of_a_segment_is_lost(items: list[tuple[bytes, int, int]]) -> None:
    wire, now = Wire(), 0
    whole = conversation(mss=700, data=0)
    for frame in whole[:2]:
        wire.packets(Frame(1, 0, 101, frame), 0)
    for number, (noise, size, longer) in enumerate(items, 2):
        now += 1000
        wire.packets(Frame(number, now, 101, noise, len(noise) + longer), 0, may_repeat=True)
        payload = bytes([number]) * size
        pieces = wire.packets(Frame(number, now, 101, tcp(seq=101, ack=501, payload=payload)), 0)
        assert b"".join(piece.payload for piece in pieces) == payload
        assert all(len(piece.payload) <= 700 and isinstance(piece, Packet) for piece in pieces)
