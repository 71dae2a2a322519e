from __future__ import annotations

import gzip
import lzma
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.capture import CaptureNotes, iter_packets, read_capture
from testbed.errors import CaptureError
from tests.capture.frames import START_US, Stamped, ethernet, pcap, pcapng, tcp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACKETS = [
    Stamped(START_US + i * 1000, ethernet(tcp(seq=1000 * i, payload=bytes(i * 37 % 1400)))) for i in range(1, 40)
]

FORMATS = {
    "pcap": pcap(PACKETS),
    "pcap, big-endian": pcap(PACKETS, order=">"),
    "pcap, nanoseconds": pcap(PACKETS, nanoseconds=True),
    "pcap, nanoseconds, big-endian": pcap(PACKETS, nanoseconds=True, order=">"),
    "pcapng": pcapng(PACKETS),
    "pcapng, big-endian": pcapng(PACKETS, order=">"),
    "pcapng, nanoseconds": pcapng(PACKETS, resolution=9),
}
INTERFACE_BLOCK = 28  # where it begins in a pcapng file: the section header before it is whole
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "two gzip members": lambda data: gzip.compress(data[:500]) + gzip.compress(data[500:]),
    "two xz streams": lambda data: lzma.compress(data[:500]) + lzma.compress(data[500:]),
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_packets(tmp_path: Path, name: str, compression: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(COMPRESSIONS[compression](FORMATS[name]))
    (flow,) = read_capture(path).flows
    assert flow.t_ns.tolist() == [packet.t_us * 1000 for packet in PACKETS]
    assert flow.payload.tolist() == [i * 37 % 1400 for i in range(1, 40)]
    assert flow.index.tolist() == list(range(39))


@pytest.mark.parametrize("name", FORMATS)
def test_chunk_size_does_not_matter(tmp_path: Path, name: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(FORMATS[name])
    (whole,) = read_capture(path).flows
    (pieces,) = read_capture(path, chunk_bytes=1024).flows
    assert len(list(iter_packets(path, chunk_bytes=1024))) > 5
    for field in ("index", "t_ns", "seq", "payload", "flags"):
        assert np.array_equal(getattr(whole, field), getattr(pieces, field))


@given(data=st.data())
@pytest.mark.parametrize("name", ["pcap", "pcapng"])
def test_a_file_cut_anywhere_gives_the_packets_before_the_cut_and_says_so(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    whole = FORMATS[name]
    header = 24 if name == "pcap" else 4
    cut = data.draw(st.integers(header, len(whole) - 1))
    path = tmp_path_factory.mktemp("cut") / "capture"
    path.write_bytes(whole[:cut])
    notes = CaptureNotes()
    seqs = [seq for part in iter_packets(path, notes=notes) for seq in part.seq.tolist()]
    write = pcap if name == "pcap" else pcapng
    boundaries = [len(write(PACKETS[:count])) for count in range(len(PACKETS) + 1)]
    whole_packets = sum(boundary <= cut for boundary in boundaries[1:])
    assert seqs == [1000 * i for i in range(1, whole_packets + 1)]
    in_the_middle = cut not in boundaries and not (name == "pcapng" and cut == INTERFACE_BLOCK)
    assert bool(notes.remarks) == in_the_middle


def test_a_cut_in_the_middle_of_a_packet_is_remarked_with_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap(PACKETS[:2])[:-10])
    capture = read_capture(path)
    second_record = 24 + 16 + len(PACKETS[0].frame)
    assert [len(flow) for flow in capture.flows] == [1]
    assert f"byte {second_record}" in capture.notes.remarks[0]


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_a_compressed_file_cut_short_gives_what_can_be_unpacked(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "cut"
    path.write_bytes(compress(pcap(PACKETS))[:-20])
    capture = read_capture(path)
    assert any("cut short" in remark for remark in capture.notes.remarks)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x80\x04\x95\x00", "not a capture at byte 0"),
        (b"GET / HTTP/1.1\r\n", "not a capture at byte 0"),
        (pcap([])[:20], "header ends at byte 20 of 24"),
        (pcap(PACKETS[:1]) + b"\xff" * 16, f"damaged at byte {24 + 16 + len(PACKETS[0].frame)}"),
        (pcapng([])[:28] + b"\x01\x00\x00\x00\x03\x00\x00\x00" + bytes(8), "damaged at byte 28: a block of 3 bytes"),
        (pcapng([])[:28] + pcapng(PACKETS[:1])[60:], "interface 0, but 0 are described"),
        (b"\x0a\x0d\x0d\x0a" + bytes(24), "byte-order mark"),
        (b"\x1f\x8b" + b"\xff" * 30, "damaged compressed data"),
        (b"\xfd7zXZ\x00" + b"\xff" * 30, "damaged compressed data"),
    ],
)
def test_what_is_no_capture_is_refused_with_file_and_offset(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.pcap"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=message) as caught:
        read_capture(path)
    assert str(path) in str(caught.value)


def test_an_absent_file_is_a_capture_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"absent\.pcap"):
        read_capture(tmp_path / "absent.pcap")


@given(data=st.binary(max_size=400), prefix=st.sampled_from(sorted(FORMATS)))
def test_garbage_is_read_or_refused_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, prefix: str
) -> None:
    path = tmp_path_factory.mktemp("garbage") / "capture"
    path.write_bytes(FORMATS[prefix][:150] + data)
    try:
        capture = read_capture(path)
    except CaptureError as error:
        assert "byte" in str(error)  # noqa: PT017  either outcome is right
    else:
        assert capture.notes.tcp + sum(capture.notes.skipped.values()) == capture.notes.records
