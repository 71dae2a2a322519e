from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.capture import read_capture
from testbed.capture.options import TcpOptions, parse_options
from tests.capture.frames import (
    START_US,
    Stamped,
    ethernet,
    options,
    pcap,
    tcp,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_short_snap_length_keeps_lengths_of_the_wire(tmp_path: Path) -> None:
    frame = ethernet(tcp(payload=bytes(1400), tcp_options=options(timestamps=True, sacks=((9, 12),))))
    path = tmp_path / "snap.pcap"
    path.write_bytes(pcap([Stamped(START_US, frame[:96], length=len(frame))]))
    (flow,) = read_capture(path).flows
    assert flow.payload.tolist() == [1400]
    assert flow.sack_count.tolist() == [1]


def test_options_cut_off_by_the_snap_length_are_absent(tmp_path: Path) -> None:
    frame = ethernet(tcp(payload=bytes(1400), tcp_options=options(timestamps=True, sacks=((9, 12),))))
    path = tmp_path / "snap.pcap"
    path.write_bytes(pcap([Stamped(START_US, frame[:70], length=len(frame))]))
    (flow,) = read_capture(path).flows
    assert (flow.timestamps.tolist(), flow.sack_count.tolist()) == ([True], [0])


def parsed(*packets: bytes) -> TcpOptions:
    """Options of packets that lie one after the other, as the bytes of a capture do."""
    data = np.frombuffer(b"".join(packets) + bytes(64), np.uint8)
    size = np.array([len(packet) for packet in packets], np.int64)
    at = np.cumsum(size) - size
    return parse_options(lambda offsets, width: data[offsets[:, None] + np.arange(width)], at, size)


NOP, END = b"\x01", b"\x00"
MSS = b"\x02\x04\x05\xb4"
TIMESTAMPS = b"\x08\x0a" + bytes(8)
SACK = b"\x05\x0a" + (7).to_bytes(4) + (9).to_bytes(4)


@pytest.mark.parametrize(
    ("packet", "mss", "timestamps", "sacks"),
    [
        (b"", 0, False, []),
        (MSS, 1460, False, []),
        (NOP + NOP + TIMESTAMPS, 0, True, []),  # the usual twelve bytes
        (TIMESTAMPS + NOP + NOP, 0, True, []),  # as long, and read by the walk
        (MSS + TIMESTAMPS + NOP + SACK + NOP, 1460, True, [(7, 9)]),
        (END + MSS, 0, False, []),  # nothing counts behind the end
        (b"\x02\x00" + TIMESTAMPS, 0, False, []),  # a length that would not get on
        (b"\x02\x09\x05\xb4", 0, False, []),  # a length beyond the end
        (b"\x02\x03\x05" + TIMESTAMPS, 0, True, []),  # an MSS of another size is none
        (b"\x05\x09" + bytes(7) + NOP + MSS, 1460, False, []),  # no whole block
        (SACK + SACK, 0, False, [(7, 9)]),  # the first counts
    ],
)
def test_options_are_walked_as_the_rfcs_say(
    packet: bytes, mss: int, sacks: list[tuple[int, int]], *, timestamps: bool
) -> None:
    found = parsed(packet)
    assert (found.mss.tolist(), found.timestamps.tolist()) == ([mss], [timestamps])
    assert list(zip(found.sack_start.tolist(), found.sack_end.tolist(), strict=True)) == sacks


def test_packets_do_not_mix_though_they_are_walked_in_step() -> None:
    found = parsed(SACK + NOP + NOP, MSS, b"", SACK + NOP + NOP)
    assert found.sack_count.tolist() == [1, 0, 0, 1]
    assert found.sack_start.tolist() == [7, 7]
    assert found.mss.tolist() == [0, 1460, 0, 0]


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_are_walked_to_an_end(packets: list[bytes]) -> None:
    found = parsed(*packets)
    assert len(found.sack_start) == len(found.sack_end) == int(found.sack_count.sum())
