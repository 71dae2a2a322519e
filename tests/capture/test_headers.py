from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, Any

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.capture import read_capture
from testbed.errors import CaptureError
from testbed.records.headers_only import HeadersOnly
from testbed.records.link_layer import find_datagram
from tests.capture.frames import (
    ACK,
    CLIENT,
    CLIENT_6,
    SERVER,
    SERVER_6,
    START_US,
    SYN,
    Stamped,
    block,
    client_hello,
    ethernet,
    options,
    pcap,
    pcapng,
    tcp,
)
from tests.records.test_link_layer import FRAMES, carried, gre

if TYPE_CHECKING:
    from pathlib import Path

V4 = tcp(seq=5, ack=6, payload=b"hello")
V6 = tcp(CLIENT_6, SERVER_6, seq=5, ack=6, payload=b"hello")
COOKED = bytes(14)
COOKED_2 = bytes(18)


@pytest.mark.parametrize(
    ("link_type", "frame", "client"),
    [
        (1, ethernet(V4), CLIENT),
        (1, ethernet(V6), CLIENT_6),
        (1, ethernet(V4, vlans=(5,)), CLIENT),
        (1, ethernet(V6, vlans=(5, 6)), CLIENT_6),
        (101, V4, CLIENT),
        (101, V6, CLIENT_6),
        (228, V4, CLIENT),
        (229, V6, CLIENT_6),
        (0, b"\x02\0\0\0" + V4, CLIENT),
        (0, b"\x1e\0\0\0" + V6, CLIENT_6),
        (113, COOKED + b"\x08\x00" + V4, CLIENT),
        (113, COOKED + b"\x86\xdd" + V6, CLIENT_6),
        (276, b"\x08\x00" + COOKED_2 + V4, CLIENT),
        (276, b"\x86\xdd" + COOKED_2 + V6, CLIENT_6),
        (1, ethernet(V4) + b"\0" * 13, CLIENT),  # padding of a short frame is no payload
    ],
)
def test_tcp_is_found_under_every_link_layer(
    tmp_path: Path, link_type: int, frame: bytes, client: tuple[str, int]
) -> None:
    path = tmp_path / "one.pcap"
    path.write_bytes(pcap([Stamped(START_US, frame)], link_type=link_type))
    (flow,) = read_capture(path).flows
    assert flow.a == client
    assert (flow.seq[0], flow.ack[0], flow.payload[0]) == (5, 6, 5)


def extension(kind: int, following: int) -> bytes:
    size = {44: 8, 51: 12}.get(kind, 16)
    length = 1
    return bytes([following, length]) + bytes(size - 2)


@pytest.mark.parametrize("kinds", [(0,), (0, 60), (43, 44), (51,), (0, 43, 60, 44, 51)])
def test_ipv6_extension_headers_are_walked(tmp_path: Path, kinds: tuple[int, ...]) -> None:
    chain = b"".join(extension(kind, following) for kind, following in zip(kinds, (*kinds[1:], 6), strict=True))
    packet = V6[:4] + struct.pack("!HB", len(V6) - 40 + len(chain), kinds[0]) + V6[7:40] + chain + V6[40:]
    path = tmp_path / "one.pcap"
    path.write_bytes(pcap([Stamped(START_US, packet)], link_type=101))
    (flow,) = read_capture(path).flows
    assert (flow.seq[0], flow.payload[0]) == (5, 5)


UDP = V4[:9] + b"\x11" + V4[10:]
LATER_FRAGMENT = V4[:6] + struct.pack("!H", 185) + V4[8:]
LONG_HEADER = V4[:32] + b"\xf0" + V4[33:]
SHORT_HEADER = V4[:32] + b"\x40" + V4[33:]


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (UDP, "not TCP"),
        (LATER_FRAGMENT, "later fragment"),
        (V4[:12], "cut before the end of the IP header"),
        (V4[:30], "cut before the end of the TCP header"),
        (LONG_HEADER, "impossible header lengths"),
        (SHORT_HEADER, "impossible header lengths"),
        (b"\x00" * 40, "not IP"),
        (b"", "not IP"),
    ],
)
def test_what_is_not_tcp_is_counted_with_the_reason(tmp_path: Path, packet: bytes, reason: str) -> None:
    path = tmp_path / "one.pcap"
    path.write_bytes(pcap([Stamped(START_US, packet)], link_type=101))
    capture = read_capture(path)
    assert capture.flows == ()
    assert capture.notes.skipped == {reason: 1}
    assert "no TCP packets" in capture.notes.remarks


@pytest.mark.parametrize("number", [105, 147, 65535])
def test_a_capture_of_a_link_type_that_is_not_read_is_refused_by_number(tmp_path: Path, number: int) -> None:
    path = tmp_path / "one.pcap"
    path.write_bytes(pcap([Stamped(START_US, V4)], link_type=number))
    with pytest.raises(CaptureError, match=f"link type {number}.* is not read"):
        read_capture(path)


def test_an_ip_length_of_zero_takes_the_length_of_the_record(tmp_path: Path) -> None:
    packet = V4[:2] + b"\0\0" + V4[4:]
    path = tmp_path / "tso.pcap"
    path.write_bytes(pcap([Stamped(START_US, packet, length=40 + 70000)], link_type=101))
    (flow,) = read_capture(path).flows
    assert flow.payload.tolist() == [70000]


def test_the_server_name_is_read_from_the_client_hello(tmp_path: Path) -> None:
    frames = [
        ethernet(tcp(seq=1, flags=2)),
        ethernet(tcp(seq=2, payload=client_hello("ABS.twimg.com"))),
        ethernet(tcp((CLIENT[0], 2), SERVER, payload=client_hello("example.org")[:60])),
    ]
    path = tmp_path / "hello.pcap"
    path.write_bytes(pcap([Stamped(START_US + i, frame) for i, frame in enumerate(frames)]))
    assert [flow.server_name for flow in read_capture(path).flows] == ["abs.twimg.com", None]


@given(cut=st.integers(0, 200), noise=st.binary(max_size=30))
def test_a_damaged_client_hello_gives_no_name_or_the_right_one(
    tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes
) -> None:
    payload = client_hello("abs.twimg.com")[:cut] + noise
    path = tmp_path_factory.mktemp("hello") / "hello.pcap"
    path.write_bytes(pcap([Stamped(START_US, tcp(payload=payload))], link_type=101))
    (flow,) = read_capture(path).flows
    whole = payload.startswith(client_hello("abs.twimg.com"))
    assert flow.server_name == "abs.twimg.com" if whole else True


addresses = st.sampled_from([(CLIENT, SERVER), (SERVER, CLIENT), (CLIENT_6, SERVER_6), (SERVER_6, CLIENT_6)])
sequence_numbers = st.integers(0, 2**32 - 1)
segments = st.builds(
    lambda ends, **fields: tcp(*ends, **fields),
    addresses,
    seq=sequence_numbers,
    ack=sequence_numbers,
    flags=st.integers(0, 255),
    window=st.integers(0, 65535),
    payload=st.binary(max_size=40),
    tcp_options=st.one_of(
        st.builds(
            options,
            mss=st.none() | st.integers(1, 65535),
            timestamps=st.booleans(),
            sacks=st.lists(st.tuples(sequence_numbers, sequence_numbers), max_size=2).map(tuple),
        ),
        st.binary(max_size=40).map(lambda data: data + b"\0" * (-len(data) % 4)),
    ),
)


def dpkt_options(segment: Any) -> tuple[int, bool, list[tuple[int, int]]]:
    """Read options with dpkt, up to the first malformed one or the end mark."""
    mss, timestamps, sacks = 0, False, None
    data = segment.opts
    for option in dpkt.tcp.parse_opts(data):
        if option is None or option[0] == 0:
            break
        kind, body = option
        if kind != 1:
            if data[1] < 2 or len(data) < data[1]:
                break
            data = data[data[1] :]
        else:
            data = data[1:]
        if kind == 2 and len(body) == 2:
            mss = struct.unpack("!H", body)[0]
        timestamps |= kind == 8
        if kind == 5 and body and len(body) % 8 == 0 and sacks is None:
            sacks = [struct.unpack_from("!II", body, at) for at in range(0, len(body), 8)]
    return mss, timestamps, sacks or []


@given(packets=st.lists(segments, min_size=1, max_size=30))
def test_headers_agree_with_dpkt(tmp_path_factory: pytest.TempPathFactory, packets: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("random") / "random.pcap"
    path.write_bytes(pcap([Stamped(START_US + i, ethernet(packet)) for i, packet in enumerate(packets)]))
    capture = read_capture(path)
    assert sum(len(flow) for flow in capture.flows) == len(packets)
    for flow in capture.flows:
        blocks = iter(zip(flow.sack_start.tolist(), flow.sack_end.tolist(), strict=True))
        for row, index in enumerate(flow.index.tolist()):
            layer = dpkt.ethernet.Ethernet(ethernet(packets[index])).data
            segment = layer.data
            mss, timestamps, sacks = dpkt_options(segment)
            sender = flow.a if flow.from_a[row] else flow.b
            assert sender == (str(ipaddress.ip_address(layer.src)), segment.sport)
            assert flow.seq[row] % 2**32 == segment.seq
            assert not segment.flags & ACK or flow.ack[row] % 2**32 == segment.ack
            assert (flow.flags[row] & 0xFF, flow.window[row]) == (segment.flags, segment.win)
            assert (flow.payload[row], flow.mss[row], flow.timestamps[row]) == (len(segment.data), mss, timestamps)
            read = [next(blocks) for _ in range(flow.sack_count[row])]
            if segment.flags & ACK:
                assert [(start % 2**32, end % 2**32) for start, end in read] == sacks
        assert next(blocks, None) is None


@pytest.mark.parametrize("name", FRAMES)
def test_arrays_and_single_frames_are_read_alike(tmp_path: Path, name: str) -> None:
    link_type, frame, datagram = FRAMES[name]
    path = tmp_path / "one.pcap"
    path.write_bytes(pcap([Stamped(START_US, frame)], link_type=link_type))
    (flow,) = read_capture(path).flows
    assert flow.a == (CLIENT if datagram[0] >> 4 == 4 else CLIENT_6)
    assert flow.payload.tolist() == [20]


@given(st.lists(st.binary(max_size=80), max_size=12), st.sampled_from([0, 1, 9, 51, 101, 104, 113, 276]))
def test_arrays_and_single_frames_find_ip_in_the_same_frames(
    tmp_path_factory: pytest.TempPathFactory, noise: list[bytes], link_type: int
) -> None:
    whole = [frame for kind, frame, _ in FRAMES.values() if kind == link_type]
    frames = [frame[: len(frame) - len(each)] + each for frame in whole for each in noise] + noise + whole
    path = tmp_path_factory.mktemp("frames") / "a.pcap"
    path.write_bytes(pcap([Stamped(START_US, frame) for frame in frames], link_type=link_type))
    expected = sum(find_datagram(frame, 0, len(frame), link_type)[0] < 0 for frame in frames)
    assert read_capture(path).notes.skipped.get("not IP", 0) == expected


@pytest.mark.parametrize(("protocol", "kind"), [(4, "IPIP"), (47, "GRE")])
def test_a_tunnel_is_read_and_told(tmp_path: Path, protocol: int, kind: str) -> None:
    body = V4 if protocol == 4 else gre(0x0800, V4)
    path = tmp_path / "tunnel.pcap"
    path.write_bytes(pcap([Stamped(START_US, ethernet(carried(protocol, body)))]))
    capture = read_capture(path)
    assert capture.flows[0].payload.tolist() == [5]
    assert any(f"inside {kind}" in sentence for sentence in capture.notes.sentences())


def test_frame_check_sequences_are_no_payload(tmp_path: Path) -> None:
    packet = V4[:2] + b"\0\0" + V4[4:]
    path = tmp_path / "fcs.pcap"
    path.write_bytes(pcap([Stamped(START_US, ethernet(packet) + b"\xde\xad\xbe\xef")], link_type=0x24000001))
    (flow,) = read_capture(path).flows
    assert flow.payload.tolist() == [5]


def test_what_a_snap_length_cut_is_told(tmp_path: Path) -> None:
    frame = ethernet(tcp(payload=client_hello("twitter.com")))
    path = tmp_path / "snap.pcap"
    path.write_bytes(pcap([Stamped(START_US, frame[:80], length=len(frame))]))
    (told,) = read_capture(path).notes.sentences()
    assert told == (
        "1 packets were captured without all of their payload, 1 of them where a connection opens: a name that lay "
        "there is lost"
    )


def conversation() -> list[bytes]:
    """A hello of two packets on a reused five-tuple, its long answer, and an upload; twice."""
    frames = []
    for first in (100, 2**32 - 300):
        hello, rest = client_hello("twitter.com"), b"u" * 1400
        frames += [tcp(seq=first, flags=SYN), tcp(SERVER, CLIENT, seq=9, flags=SYN | ACK)]
        frames += [tcp(seq=first + 1, payload=hello[:90]), tcp(seq=first + 91, payload=hello[90:])]
        frames += [tcp(SERVER, CLIENT, seq=10 + 1400 * at, payload=rest) for at in range(20)]
        frames += [tcp(seq=first + 1 + len(hello) + 1400 * at, payload=rest) for at in range(20)]
    return [ethernet(each) for each in frames]


@pytest.mark.parametrize("chunk_bytes", [1 << 10, 1 << 20])
def test_where_headers_alone_are_kept_no_name_is_lost(tmp_path: Path, chunk_bytes: int) -> None:
    place, path = HeadersOnly(), tmp_path / "headers.pcap"
    stamped = [
        Stamped(START_US + at, each[: place.kept(each)], length=len(each)) for at, each in enumerate(conversation())
    ]
    path.write_bytes(pcap(stamped))
    capture = read_capture(path, chunk_bytes=chunk_bytes)
    assert capture.notes.cut > 40
    (told,) = capture.notes.sentences()
    assert told == (
        f"{capture.notes.cut} packets were captured without all of their payload; what opens a connection is whole, so "
        "no name is lost"
    )


@pytest.mark.parametrize("chunk_bytes", [1 << 10, 1 << 20])
@pytest.mark.parametrize("snap", [54, 80, 130])
def test_a_name_that_a_snap_length_cut_is_told_whatever_else_was_cut(
    tmp_path: Path, snap: int, chunk_bytes: int
) -> None:
    path, opening = tmp_path / "snap.pcap", [*conversation()[:24]]
    path.write_bytes(pcap([Stamped(START_US + at, each[:snap], length=len(each)) for at, each in enumerate(opening)]))
    notes = read_capture(path, chunk_bytes=chunk_bytes).notes
    hello = [each for each in opening[2:4] if len(each) > snap]
    assert notes.cut_openings == len(hello) > 0
    assert notes.cut == 20 + len(hello)


def test_interfaces_that_are_not_read_are_passed_over_and_named(tmp_path: Path) -> None:
    named = struct.pack("<HHI", 220, 0, 0) + struct.pack("<HH8s", 2, 7, b"usbmon0") + bytes(4)
    usb = struct.pack("<IIIII", 1, 0, 0, 8, 8) + bytes(8)
    path = tmp_path / "two.pcapng"
    path.write_bytes(pcapng([]) + block(1, named) + block(6, usb) + pcapng([Stamped(START_US, ethernet(V4))])[60:])
    capture = read_capture(path)
    assert len(capture.flows) == 1
    assert capture.notes.skipped == {"interface usbmon0: link type 220 (USB) is not read": 1}
