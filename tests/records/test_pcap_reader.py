from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import CaptureError
from testbed.records.byte_stream import ByteStream
from testbed.records.capture_chunks import CaptureNotes
from testbed.records.pcap_reader import PCAP_MAGICS, read_pcap

ETHERNET = 1
Records = list[tuple[int, bytes, int]]


def header(magic: bytes, *, link_word: int = ETHERNET) -> bytes:
    return magic + struct.pack(PCAP_MAGICS[magic][0] + "HHiIII", 2, 4, 0, 0, 65535, link_word)


def record(magic: bytes, seconds: int, fraction: int, data: bytes, length: int) -> bytes:
    order, _, header_bytes = PCAP_MAGICS[magic]
    return struct.pack(order + "IIII", seconds, fraction, len(data), length) + bytes(header_bytes - 16) + data


def read(content: bytes, *, chunk_bytes: int = 1 << 20, notes: CaptureNotes | None = None) -> Records:
    """Time, captured bytes and length of each record."""
    stream = ByteStream(io.BytesIO(content), "file")
    notes = CaptureNotes() if notes is None else notes
    return [
        (t_ns, chunk.data[at : at + captured], length)
        for chunk in read_pcap(stream, stream.read(4), notes, chunk_bytes)
        for t_ns, at, captured, length in zip(chunk.t_ns, chunk.offset, chunk.captured, chunk.length, strict=True)
    ]


MICROSECONDS = b"\xd4\xc3\xb2\xa1"


@pytest.mark.parametrize("magic", PCAP_MAGICS)
def test_every_byte_order_unit_and_record_header_is_read(magic: bytes) -> None:
    content = header(magic) + record(magic, 7, 5, b"abc", 60) + record(magic, 8, 6, b"", 0)
    unit_ns = 10**9 // PCAP_MAGICS[magic][1]
    assert read(content) == [(7 * 10**9 + 5 * unit_ns, b"abc", 60), (8 * 10**9 + 6 * unit_ns, b"", 0)]


@pytest.mark.parametrize(
    ("length", "captured", "expected"),
    [
        (64, 64, (60, 60)),  # a frame check sequence of four bytes is no part of the frame
        (64, 62, (60, 60)),  # of which a snap length cut half
        (64, 50, (60, 50)),
        (3, 3, (0, 0)),  # a frame that is shorter than its check sequence
    ],
)
def test_a_frame_check_sequence_is_left_out(length: int, captured: int, expected: tuple[int, int]) -> None:
    word = ETHERNET | 1 << 26 | 2 << 28  # its length is known: 2 units of two bytes
    content = header(MICROSECONDS, link_word=word) + record(MICROSECONDS, 0, 0, bytes(captured), length)
    ((_, data, wire),) = read(content)
    assert (wire, len(data)) == expected


def test_the_upper_bits_are_no_link_type() -> None:
    notes = CaptureNotes()
    read(header(MICROSECONDS, link_word=ETHERNET | 0xF << 28), notes=notes)
    assert list(notes.interfaces) == [ETHERNET]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header(MICROSECONDS)[:23], "the pcap file header ends at byte 23 of 24"),
        (header(MICROSECONDS, link_word=105), r"link type 105 \(IEEE 802.11\) is not read"),
        (
            header(MICROSECONDS) + struct.pack("<IIII", 0, 0, (1 << 24) + 1, 60),
            "damaged at byte 24: a record of 16777217",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(content: bytes, said: str) -> None:
    with pytest.raises(CaptureError, match=said):
        read(content)


def test_a_record_before_the_damage_is_given_first() -> None:
    damaged = header(MICROSECONDS) + record(MICROSECONDS, 0, 0, b"good", 4) + b"\xff" * 16
    stream = ByteStream(io.BytesIO(damaged), "file")
    chunks = read_pcap(stream, stream.read(4), CaptureNotes(), 1 << 20)
    assert next(chunks).captured == [4]
    with pytest.raises(CaptureError, match="damaged at byte 44"):
        next(chunks)


@given(sizes=st.lists(st.integers(0, 5000), max_size=8), chunk_bytes=st.integers(1, 4000), cut=st.integers(0, 60))
def test_records_are_the_same_in_chunks_of_any_size_up_to_a_cut(sizes: list[int], chunk_bytes: int, cut: int) -> None:
    whole = header(MICROSECONDS)
    ends = []
    for size in sizes:
        whole += record(MICROSECONDS, 1, 0, bytes([size % 251]) * size, size)
        ends.append(len(whole))
    content = whole[: max(24, len(whole) - cut)]
    notes = CaptureNotes()
    found = read(content, chunk_bytes=chunk_bytes, notes=notes)
    complete = sum(end <= len(content) for end in ends)
    assert [length for *_, length in found] == sizes[:complete]
    assert notes.records == complete
    assert bool(notes.remarks) == (len(content) not in {24, *ends})
