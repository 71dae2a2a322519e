from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING

import pytest

from testbed.capture import read_capture
from testbed.errors import CaptureError
from testbed.records.byte_stream import ByteStream, watching
from testbed.records.capture_chunks import CaptureNotes, EmptyRecords, Window
from tests.capture.frames import START_US, Stamped, ethernet, pcap, tcp

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "content",
    [
        pcap([]) + bytes(4 << 20),
        pcap([]) + bytes.fromhex("00f14860 01000000 00000000 64000000") * 150_000,
        pcap([Stamped(START_US, ethernet(tcp()))]) + bytes(4 << 20),
    ],
    ids=["zeros", "records with a time but no byte", "zeros after a packet"],
)
def test_a_capture_of_empty_records_is_refused_early(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "zeros.pcap.gz"
    path.write_bytes(gzip.compress(content + bytes(200 << 20)))
    read: list[int] = []
    with (
        watching(lambda _name, size: read.append(size)),
        pytest.raises(CaptureError, match=r"damaged at byte \d+: .* hold nothing"),
    ):
        read_capture(path)
    assert max(read) < 20 << 20


def test_what_was_left_out_is_said_in_sentences() -> None:
    lost = "1 of them where a connection opens: a name that lay there is lost"
    notes = CaptureNotes(records=9, tunnelled={"GRE": 2}, cut=3, cut_openings=1)
    notes.skip("not TCP", 4)
    notes.skip("not TCP")
    notes.skip("not IP", 0)
    notes.remarks.append("the compressed file was cut short")
    assert notes.sentences() == [
        "the compressed file was cut short",
        "2 packets are read inside GRE",
        f"3 packets were captured without all of their payload, {lost}",
        "5 records left out: not TCP",
    ]


@pytest.mark.parametrize(
    ("interfaces", "said"),
    [
        ({105: []}, r"file: link type 105 \(IEEE 802.11\) is not read; capture Ethernet"),
        ({105: ["wlan0"], 65000: ["7", "8"]}, "interface wlan0: .*; interface 7, 8: link type 65000 is not read"),
        ({105: ["wlan0"], 1: ["eth0"]}, None),  # one that is read is enough
        ({}, None),
    ],
)
def test_a_file_of_link_types_that_are_not_read_is_refused(interfaces: dict[int, list[str]], said: str | None) -> None:
    notes = CaptureNotes(interfaces=interfaces)
    assert notes.interface_count == sum(map(len, interfaces.values()))
    if said is None:
        notes.check_link_types("file")
    else:
        with pytest.raises(CaptureError, match=said):
            notes.check_link_types("file")


@pytest.mark.parametrize(
    ("records", "useful", "refused"), [(1_000_000, 0, False), (1_000_001, 0, True), (1_000_001, 1, False)]
)
def test_a_million_records_without_use_are_enough(records: int, useful: int, *, refused: bool) -> None:
    notes = CaptureNotes(records=records, skipped={"not TCP": records})
    if refused:
        with pytest.raises(CaptureError, match="none of the first 1000001 records holds a TCP packet"):
            notes.check_use("file", useful, "a TCP packet")
    else:
        notes.check_use("file", useful, "a TCP packet")


def test_empty_records_may_be_many_but_not_in_a_row() -> None:
    counter = EmptyRecords("file")
    for position in range(100_000):
        counter.saw(0, position)
    counter.saw(60, 100_000)
    for position in range(100_000):
        counter.saw(0, position)
    with pytest.raises(CaptureError, match="file: damaged at byte 7: more than 100000 records in a row hold nothing"):
        counter.saw(0, 7)


def test_a_window_holds_what_is_left_and_reads_on() -> None:
    window = Window(ByteStream(io.BytesIO(bytes(range(100)) * 40), "file"), b"", 1 << 10)
    window.advance(0)
    assert (len(window.data), window.base) == (1024, 0)
    window.advance(1000, needed=2000)
    assert (len(window.data), window.base, window.data[:3]) == (2000, 1000, bytes([0, 1, 2]))
    window.advance(2000)
    window.advance(1000)
    assert (window.data, window.base, window.ended) == (b"", 4000, True)
