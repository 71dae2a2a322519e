from __future__ import annotations

import contextlib
import io
import re
import struct

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import CaptureError
from testbed.records.capture_file import Frame, datagram, read_frames
from tests.middlebox.build import Connection

PACKETS = [packet.data for packet in Connection().handshake()]
ETHERNET = bytes(12) + b"\x08\x00"
TIMES = [1_615_363_200.000001, 1_615_363_200.5, 1_615_363_201.25]
TIMES_NS = [1_615_363_200_000_001_000, 1_615_363_200_500_000_000, 1_615_363_201_250_000_000]


def classic(order: str = "<", *, nanoseconds: bool = False, link_type: int = 101) -> bytes:
    magic, unit = (0xA1B23C4D, 1) if nanoseconds else (0xA1B2C3D4, 1000)
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for t_ns, data in zip(TIMES_NS, PACKETS, strict=True):
        out += struct.pack(order + "IIII", t_ns // 10**9, t_ns % 10**9 // unit, len(data), len(data)) + data
    return out


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(order: str = "<", *, resolution: int | None = None) -> bytes:
    options = b"" if resolution is None else struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    out = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    out += block(1, struct.pack(order + "HHI", 101, 0, 0) + options, order)
    out += block(99, b"skipped by who does not know it", order)
    per_s = 10**6 if resolution is None else 10**resolution if resolution < 128 else 2 ** (resolution - 128)
    for t_ns, data in zip(TIMES_NS, PACKETS, strict=True):
        units = t_ns * per_s // 10**9
        head = struct.pack(order + "IIIII", 0, units >> 32, units & 0xFFFFFFFF, len(data), len(data))
        out += block(6, head + data, order)
    return out


def read(data: bytes) -> list[Frame]:
    return list(read_frames(io.BytesIO(data)))


FILES = {
    "pcap, little endian, us": classic("<"),
    "pcap, big endian, us": classic(">"),
    "pcap, little endian, ns": classic("<", nanoseconds=True),
    "pcap, big endian, ns": classic(">", nanoseconds=True),
    "pcapng, little endian": pcapng("<"),
    "pcapng, big endian": pcapng(">"),
    "pcapng, ns": pcapng("<", resolution=9),
    "two sections": pcapng("<") + pcapng(">", resolution=9),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_frames_come_with_their_time_and_bytes(data: bytes) -> None:
    frames = read(data)
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))
    assert [(frame.t_ns, frame.data) for frame in frames[:3]] == list(zip(TIMES_NS, PACKETS, strict=True))
    assert {frame.link_type for frame in frames} == {101}


def test_times_in_powers_of_two_are_read() -> None:
    (first, *_) = read(pcapng(resolution=128 + 20))
    assert first.t_ns == pytest.approx(TIMES_NS[0], abs=1000)


@pytest.mark.parametrize("writer", [dpkt.pcap.Writer, dpkt.pcapng.Writer])
def test_reads_what_dpkt_wrote(writer: type) -> None:
    file = io.BytesIO()
    with_dpkt = writer(file)
    for t, data in zip(TIMES, PACKETS, strict=True):
        with_dpkt.writepkt(ETHERNET + data, ts=t)
    frames = read(file.getvalue())
    assert [datagram(frame) for frame in frames] == PACKETS
    assert [frame.t_ns for frame in frames] == [pytest.approx(each, abs=1000) for each in TIMES_NS]


@pytest.mark.parametrize(
    ("link_type", "header"),
    [
        (1, ETHERNET),
        (1, bytes(12) + b"\x81\x00\x00\x05\x08\x00"),
        (1, bytes(12) + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00"),
        (101, b""),
        (12, b""),
        (228, b""),
        (113, bytes(14) + b"\x08\x00"),
        (276, b"\x08\x00" + bytes(18)),
        (0, b"\x02\x00\x00\x00"),
    ],
)
def test_the_datagram_is_found_behind_the_link_layer(link_type: int, header: bytes) -> None:
    assert datagram(Frame(1, 0, link_type, header + PACKETS[0])) == PACKETS[0]


@pytest.mark.parametrize(
    "frame", [Frame(1, 0, 1, bytes(12) + b"\x08\x06" + bytes(28)), Frame(1, 0, 1, b""), Frame(1, 0, 0, b"")]
)
def test_a_frame_without_ip_has_no_datagram(frame: Frame) -> None:
    assert datagram(frame) is None


def test_an_unknown_link_type_is_refused() -> None:
    with pytest.raises(CaptureError, match=r"frame 7: link type 105 \(IEEE 802.11\) is not read"):
        datagram(Frame(7, 0, 105, b""))


@pytest.mark.parametrize("whole", [classic(), pcapng()], ids=["pcap", "pcapng"])
def test_a_file_cut_anywhere_gives_its_frames_and_then_the_offset(whole: bytes) -> None:
    for size in range(len(whole)):
        frames: list[bytes] = []
        try:
            frames.extend(frame.data for frame in read_frames(io.BytesIO(whole[:size])))
        except CaptureError as error:
            assert re.search(r"byte \d+", str(error))  # noqa: PT017 - a cut between packets is none
        assert frames == PACKETS[: len(frames)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0: it is empty"),
        (b"not a capture", "begins with 6e 6f 74 20"),
        (classic()[:24] + b"\xff" * 16, "damaged at byte 24: a record of 4294967295 bytes"),
        (pcapng()[:28] + b"\1\0\0\0\xff\xff\xff\xff" + bytes(4), "damaged at byte 28: a block of 4294967295 bytes"),
        (pcapng()[:8] + bytes(20), "damaged at byte 8: a section without a byte-order mark"),
        (
            block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(6, bytes(20)),
            "interface 0, but 0 are described",
        ),
    ],
)
def test_garbage_is_refused_with_its_offset(data: bytes, message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        read(data)


@given(
    st.sampled_from([classic(), pcapng()]), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8)
)
def test_any_changes_are_read_or_refused(whole: bytes, changes: list[tuple[int, int]]) -> None:
    mutated = bytearray(whole)
    for offset, value in changes:
        mutated[offset % len(mutated)] = value
    try:
        for frame in read_frames(io.BytesIO(bytes(mutated))):
            datagram(frame)
    except CaptureError:
        pass


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(CaptureError):
        read(data)
