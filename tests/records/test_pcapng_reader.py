from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import CaptureError
from testbed.records.byte_stream import ByteStream
from testbed.records.capture_chunks import CaptureNotes
from testbed.records.pcapng_reader import read_pcapng
from tests.capture.frames import block

ETHERNET, USB = 1, 220
SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(*options: bytes, link_type: int = ETHERNET, snap: int = 0) -> bytes:
    return block(1, struct.pack("<HHI", link_type, 0, snap) + b"".join(options))


def enhanced(ticks: int, data: bytes, *, number: int = 0, length: int | None = None) -> bytes:
    head = struct.pack("<IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), length or len(data))
    return block(6, head + data)


def read(content: bytes, notes: CaptureNotes | None = None) -> list[tuple[int, bytes, int]]:
    """Time, captured bytes and length of each packet."""
    stream = ByteStream(io.BytesIO(content), "file")
    notes = CaptureNotes() if notes is None else notes
    return [
        (t_ns, chunk.data[at : at + captured], length)
        for chunk in read_pcapng(stream, stream.read(4), notes, 1 << 20)
        for t_ns, at, captured, length in zip(chunk.t_ns, chunk.offset, chunk.captured, chunk.length, strict=True)
    ]


@pytest.mark.parametrize(
    ("options", "ticks", "t_ns"),
    [
        ([], 5_000_001, 5_000_001_000),  # microseconds, where nothing is said
        ([option(9, b"\x09")], 5_000_000_001, 5_000_000_001),
        ([option(9, b"\x00")], 5, 5_000_000_000),
        ([option(9, b"\x8a")], 5 << 10, 5_000_000_000),  # a power of two: 1/1024 s
        ([option(9, b"\x09\x09")], 5, 5_000),  # no resolution, but a text of two bytes
        ([option(14, struct.pack("<q", 100))], 5_000_000, 105_000_000_000),
        ([option(14, struct.pack("<q", -1))], 5_000_000, 4_000_000_000),
        ([option(0, b""), option(9, b"\x00")], 5_000_000, 5_000_000_000),  # nothing counts behind the end
    ],
)
def test_a_time_stamp_counts_as_its_interface_says(options: list[bytes], ticks: int, t_ns: int) -> None:
    ((found, _, _),) = read(SECTION + interface(*options) + enhanced(ticks, b"x"))
    assert found == t_ns


def test_packets_of_every_kind_of_block_are_read() -> None:
    old = block(2, struct.pack("<HHIIII", 0, 7, 0, 2_000_000, 3, 9) + b"old")
    simple = block(3, struct.pack("<I", 9) + b"simple")
    content = SECTION + interface(snap=6) + enhanced(1_000_000, b"new", length=60) + old + simple
    assert read(content) == [
        (1_000_000_000, b"new", 60), (2_000_000_000, b"old", 9),
        (2_000_000_000, b"simple", 9),  # it has no time of its own, and is cut at the interface's snap length
    ]  # fmt: skip


def test_a_section_begins_anew_with_its_own_byte_order_and_interfaces() -> None:
    big = block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1), ">")
    big += block(1, struct.pack(">HHI", ETHERNET, 0, 0), ">")
    big += block(6, struct.pack(">IIIII", 0, 0, 7_000_000, 1, 1) + b"b", ">")
    first = SECTION + interface(option(9, b"\x00")) + enhanced(3, b"a")
    assert [t_ns for t_ns, _, _ in read(first + big)] == [3_000_000_000, 7_000_000_000]
    with pytest.raises(CaptureError, match="a packet of interface 0, but 0 are described"):
        read(first + SECTION + enhanced(1, b"x"))


def test_interfaces_are_noted_by_link_type_with_their_names() -> None:
    notes = CaptureNotes()
    read(SECTION + interface(option(2, b"eth0")) + interface(link_type=USB) + interface(option(2, b"eth0")), notes)
    assert notes.interfaces == {ETHERNET: ["eth0"], USB: ["1"]}


def test_a_frame_check_sequence_is_left_out() -> None:
    content = SECTION + interface(option(13, b"\x20")) + enhanced(0, bytes(64)) + enhanced(0, bytes(50), length=64)
    assert [(len(data), length) for _, data, length in read(content)] == [(60, 60), (50, 60)]


START = len(SECTION)
BEHIND = START + len(interface())
NO_ROOM = block(6, struct.pack("<IIIII", 0, 0, 0, 9, 9))
SECONDS = option(9, b"\x00")


@pytest.mark.parametrize(
    ("content", "at", "said"),
    [
        (SECTION + struct.pack("<III", 6, 8, 0), START, "a block of 8 bytes"),
        (SECTION + struct.pack("<III", 6, 13, 0) + b"xx", START, "a block of 13 bytes"),
        (SECTION + struct.pack("<III", 6, (1 << 28) + 4, 0), START, "a block of 268435460 bytes"),
        (SECTION[:8] + bytes(20), 8, "a section without a byte-order mark"),
        (SECTION + block(1, bytes(4)), START, "a block of 16 bytes that needs 20"),
        (SECTION + interface() + block(6, bytes(8)), BEHIND, "a block of 20 bytes that needs 32"),
        (SECTION + interface() + enhanced(0, b"", number=3), BEHIND, "a packet of interface 3, but 1 is described"),
        (SECTION + interface() + NO_ROOM, BEHIND, "9 bytes in a block with room for 0"),
        (SECTION + interface(SECONDS) + enhanced(1 << 40, b""), BEHIND + 8, "a time stamp of 1099511627776 ticks"),
        (SECTION + interface(option(14, struct.pack("<q", 1 << 40))), START, "a time offset of 1099511627776 s"),
    ],
)  # fmt: skip
def test_a_block_that_contradicts_the_format_is_refused_with_its_place(content: bytes, at: int, said: str) -> None:
    with pytest.raises(CaptureError, match=f"damaged at byte {at}: .*{said}.*; cut the file there"):
        read(content)


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 6, 10, 99]), st.binary(max_size=40)), max_size=6))
def test_any_blocks_are_read_or_refused(blocks: list[tuple[int, bytes]]) -> None:
    content = SECTION + interface() + b"".join(block(kind, body) for kind, body in blocks)
    try:
        found = read(content)
    except CaptureError as error:
        assert "damaged at byte" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert len(found) <= len(blocks)
