"""Captures and logs that still grow: every record comes once and whole, wherever what is there ends."""

from __future__ import annotations

import contextlib
import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import CaptureError, RecordError
from testbed.records.growing import GrowingCapture, GrowingLog, GrowingPcap
from tests.records.build import BOX, Appearing, dropped, frame, opened, pcap_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

FRAMES = [frame(number, number / 10, down=True, seq=number, ip_id=number, payload_bytes=5) for number in (1, 2, 3)]
CAPTURE = pcap_bytes(FRAMES)
LOG = [opened(0.0), dropped(0.1, seq=1, ip_id=1), dropped(0.2, seq=2, ip_id=2) | {"box": "another"}]
LINES = "".join(json.dumps(each) + "\n" for each in LOG).encode()


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    return [data[begin:end] for begin, end in pairwise([0, *sorted(cuts), len(data)])]


@given(st.lists(st.integers(0, len(CAPTURE)), max_size=6))
def test_frames_come_once_and_whole_wherever_the_file_ends(cuts: list[int]) -> None:
    file = Appearing()
    capture = GrowingCapture(file)
    frames, found = iter(capture), []
    for piece in pieces(CAPTURE, cuts):
        file.append(piece)
        while (each := next(frames)) is not None:
            found.append(each)
    assert [each.data for each in found] == [each.data for each in FRAMES]
    assert [(each.number, each.t_ns) for each in found] == [(each.number, each.t_ns) for each in FRAMES]
    capture.is_whole = True
    assert list(frames) == []
    assert capture.frames == len(FRAMES)


@given(st.lists(st.integers(0, len(LINES)), max_size=6))
def test_records_of_one_box_come_once_and_whole_wherever_the_file_ends(cuts: list[int]) -> None:
    file = Appearing()
    log = GrowingLog(file, BOX)
    records, found = iter(log), []
    for piece in pieces(LINES, cuts):
        file.append(piece)
        while (each := next(records)) is not None:
            found.append(each)
    assert found == LOG[:2]
    log.is_whole = True
    assert list(records) == []


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the pcap file header ends at byte 0"),
        (CAPTURE[:10], "the pcap file header ends at byte 10"),
        (b"no capture, but as many bytes", "not a pcap file: it begins with 6e 6f 20 63"),
        (CAPTURE[:-1], "the file ends inside the record at byte 174"),
        (CAPTURE[:20] + b"\xe7\x03\0\0" + CAPTURE[24:], "link type 999 is not read"),
        (CAPTURE[:24] + bytes(8) + b"\xff\xff\xff\x7f" * 2, "damaged at byte 24"),
    ],
)
def test_what_is_no_whole_capture_is_refused_in_the_end(data: bytes, problem: str) -> None:
    file = Appearing(Path("there.pcap"))
    file.append(data)
    capture = GrowingCapture(file)
    capture.is_whole = True
    with pytest.raises(CaptureError, match=rf"there\.pcap.*{problem}"):
        list(capture)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (LINES[:-1], r":3: the file ends inside this line"),
        (b"\n" + json.dumps(BOX).encode() + b"\n", r":2: expected a JSON object"),
        (b"{" + json.dumps(BOX).encode() + b"\n", r":1: not a JSON object"),
        (b"x" * (5 << 20), r":1: a line that is longer than any record"),
    ],
)
def test_what_is_no_whole_log_is_refused_in_the_end(data: bytes, problem: str) -> None:
    file = Appearing(Path("truth.jsonl"))
    file.append(data)
    log = GrowingLog(file, BOX)
    log.is_whole = True
    with pytest.raises(RecordError, match=rf"truth\.jsonl{problem}"):
        list(log)


@given(st.binary(max_size=300))
def test_any_bytes_give_frames_or_an_error(data: bytes) -> None:
    growing = GrowingPcap("capture")
    with contextlib.suppress(CaptureError):
        assert sum(len(each.data) for each in growing.feed(data)) <= len(data)


def test_frames_before_the_damage_are_given_and_none_after_it() -> None:
    growing = GrowingPcap("capture")
    frames = growing.feed(CAPTURE[: len(CAPTURE) - 75] + bytes(8) + b"\xff\xff\xff\x7f" * 2)
    assert [next(frames).number, next(frames).number] == [1, 2]
    for more in (frames, growing.feed(CAPTURE)):
        with pytest.raises(CaptureError, match="damaged at byte"):
            next(more)
