from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from testbed.demo.segments import Segments
from testbed.records.growing import GrowingPcap
from tests.demo.runs import START_NS, pcap, tcp_frame

HANDSHAKE = tcp_frame(source_port=443, port=4000, seq=0xFFFFFFF0, flags=0x12, payload=0)
FIRST = tcp_frame(source_port=443, port=4000, seq=0xFFFFFFF1, flags=0x10, payload=100)
WRAPPED = tcp_frame(source_port=443, port=4000, seq=0x55, flags=0x18, payload=50)
UPWARDS = tcp_frame(source_port=4000, port=443, seq=1, flags=0x18, payload=50)
CAPTURE = pcap((0.1, HANDSHAKE), (0.2, FIRST), (0.25, UPWARDS), (0.3, WRAPPED))


def read(*pieces: bytes) -> list[list[object]]:
    growing, segments = GrowingPcap("capture"), Segments(START_NS)
    return [record for piece in pieces for frame in growing.feed(piece) for record in segments.read(frame)]


def test_segments_have_their_place_after_the_handshake_even_where_numbers_wrap() -> None:
    assert read(CAPTURE) == [["p", 0.2, "100.64.0.1:4000", 0, 100], ["p", 0.3, "100.64.0.1:4000", 100, 50]]


def test_a_flow_whose_beginning_was_not_seen_has_no_place() -> None:
    assert read(pcap((0.2, FIRST))) == []


@given(st.lists(st.integers(0, len(CAPTURE)), max_size=6))
def test_a_capture_reads_alike_wherever_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(CAPTURE)]
    assert read(*(CAPTURE[a:b] for a, b in itertools.pairwise(edges))) == read(CAPTURE)
