from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.capture import NEVER, SYN, segment_size, sent_by
from tests.capture.frames import options, tcp
from tests.capture.stream import acknowledge, data, read

if TYPE_CHECKING:
    from pathlib import Path


def test_a_retransmitted_packet_is_lost(tmp_path: Path) -> None:
    flow = read(tmp_path, [data(0), data(1), data(2), acknowledge(1, (2, 3)), data(1), acknowledge(3)])
    sent = sent_by(flow, from_a=True)
    assert sent.lost.tolist() == [False, True, False, False]
    assert sent.is_retransmission.tolist() == [False, False, False, True]


def test_a_dsack_makes_a_retransmission_spurious(tmp_path: Path) -> None:
    flow = read(tmp_path, [data(0), data(1), data(1), acknowledge(2), acknowledge(2, (1, 2))])
    sent = sent_by(flow, from_a=True)
    assert sent.retransmitted.tolist() == [False, True, False]
    assert not sent.lost.any()


def test_a_packet_retransmitted_twice_is_lost_twice(tmp_path: Path) -> None:
    flow = read(tmp_path, [data(0), data(0), data(0), acknowledge(1)])
    assert sent_by(flow, from_a=True).lost.tolist() == [True, True, False]


def test_a_merged_retransmission_marks_the_latest_packet_that_held_its_first_byte(tmp_path: Path) -> None:
    flow = read(tmp_path, [data(0, size=200), data(1, size=200), data(0, size=200, length=400)])
    assert sent_by(flow, from_a=True).lost.tolist() == [True, False, False]


def test_packets_are_acknowledged_by_number_or_by_sack_whichever_comes_first(tmp_path: Path) -> None:
    packets = [data(0), data(1), data(2), acknowledge(0, (2, 3)), acknowledge(1, (2, 3)), data(1), acknowledge(3)]
    sent = sent_by(read(tmp_path, packets), from_a=True)
    assert sent.acked_row.tolist() == [4, 6, 3, 6]


def test_a_plain_duplicate_ack_acknowledges_nothing_anew(tmp_path: Path) -> None:
    sent = sent_by(read(tmp_path, [data(0), acknowledge(1), data(0), acknowledge(1)]), from_a=True)
    assert sent.acked_row.tolist() == [1, NEVER]


def test_one_direction_alone_has_losses_but_no_acknowledgements(tmp_path: Path) -> None:
    sent = sent_by(read(tmp_path, [data(0), data(1), data(0)]), from_a=True)
    assert sent.lost.tolist() == [True, False, False]
    assert set(sent.acked_row.tolist()) == {NEVER}


def test_a_direction_without_packets_is_empty(tmp_path: Path) -> None:
    flow = read(tmp_path, [data(0)])
    assert len(sent_by(flow, from_a=False)) == 0


@pytest.mark.parametrize(
    ("packets", "size"),
    [
        ([tcp(flags=SYN, tcp_options=options(mss=1460, timestamps=True)), data(0, size=5000)], 1448),
        ([tcp(flags=SYN, tcp_options=options(mss=1460)), data(0, size=5000)], 1460),
        ([acknowledge(0), data(0, size=400), data(1, size=1200)], 1200),
        ([acknowledge(0), data(0, size=4344)], 1448),
        ([acknowledge(0), data(0, size=499)], 0),
        ([acknowledge(0), data(0, size=20011)], 0),
    ],
)
def test_the_segment_size_comes_from_the_mss_option_or_from_the_first_long_packet(
    tmp_path: Path, packets: list[bytes], size: int
) -> None:
    assert segment_size(read(tmp_path, packets), from_a=False) == size


def test_an_offloaded_buffer_is_split_into_segments(tmp_path: Path) -> None:
    hello = tcp(flags=SYN, tcp_options=options(mss=1012, timestamps=True))
    flow = read(tmp_path, [hello, data(0, length=2500), data(2, length=500)])
    sent = sent_by(flow, from_a=False)
    assert sent.payload.tolist() == [1000, 1000, 500, 500]
    assert (sent.seq - sent.seq[0]).tolist() == [0, 1000, 2000, 2000]
    assert sent.row.tolist() == [1, 1, 1, 2]
    assert sent.lost.tolist() == [False, False, True, False]


events = st.lists(
    st.one_of(
        st.tuples(st.just("data"), st.integers(0, 12), st.integers(1, 3)),
        st.tuples(st.just("ack"), st.integers(0, 14), st.lists(st.integers(0, 14), max_size=2)),
    ),
    min_size=1,
    max_size=60,
)


@given(events=events)
def test_acknowledgements_agree_with_a_search_packet_by_packet(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[tuple[str, int, int | list[int]]],
) -> None:
    packets = [data(0, length=1000)]
    for kind, number, extra in events:
        if isinstance(extra, int):
            packets.append(data(number, length=extra * 1000))
        else:
            packets.append(acknowledge(number, *((first, first + 2) for first in extra)))
        assert kind in ("data", "ack")
    flow = read(tmp_path_factory.mktemp("flow"), packets)
    sent = sent_by(flow, from_a=True)
    blocks = np.cumsum(flow.sack_count) - flow.sack_count
    for place in range(len(sent)):
        low, high = sent.seq[place], sent.seq[place] + sent.payload[place]
        expected, highest = NEVER, int(flow.seq[0])
        for row in range(len(flow)):
            if flow.from_a[row]:
                continue
            advanced, highest = bool(flow.ack[row] > highest), max(highest, int(flow.ack[row]))
            mine = range(blocks[row], blocks[row] + flow.sack_count[row])
            sacked = any(flow.sack_start[i] <= low and high <= flow.sack_end[i] for i in mine)
            by_number = highest >= high and (advanced or len(mine) > 0)
            if row > sent.row[place] and (by_number or sacked):
                expected = row
                break
        assert sent.acked_row[place] == expected


@given(events=events)
def test_losses_agree_with_a_search_packet_by_packet(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[tuple[str, int, int | list[int]]],
) -> None:
    packets = [data(0, length=1000)]
    for _, number, extra in events:
        if isinstance(extra, int):
            packets.append(data(number, length=extra * 1000))
        else:
            packets.append(acknowledge(number, *((first, first + 1) for first in extra)))
    flow = read(tmp_path_factory.mktemp("flow"), packets)
    sent = sent_by(flow, from_a=True)
    spans = [(int(s), int(s + p)) for s, p in zip(sent.seq, sent.payload, strict=True)]
    retransmitted, spurious = [False] * len(sent), [False] * len(sent)
    blocks = np.cumsum(flow.sack_count) - flow.sack_count
    highest, place = int(flow.seq[0]), 0
    for row in range(len(flow)):
        while place < len(sent) and sent.row[place] == row:
            low, high = spans[place]
            if high > highest:
                highest = high
            else:
                held = [i for i in range(place) if spans[i][0] == low or spans[i][0] < low < spans[i][1]]
                if held:
                    retransmitted[held[-1]] = True
            place += 1
        for block in range(blocks[row], blocks[row] + flow.sack_count[row]):
            first, last = int(flow.sack_start[block]), int(flow.sack_end[block])
            if first < flow.ack[row] and last <= flow.ack[row]:
                held = [
                    i
                    for i in range(place)
                    if retransmitted[i] and spans[i][0] <= first < spans[i][1] and spans[i][0] < last <= spans[i][1]
                ]
                if held:
                    spurious[held[-1]] = True
    assert sent.retransmitted.tolist() == retransmitted
    assert sent.spurious.tolist() == spurious
