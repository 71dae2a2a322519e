from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from testbed.capture import iter_packets
from testbed.capture.packets import concatenate, mix_columns, ragged_rows
from tests.capture.frames import START_US, Stamped, client_hello, options, pcap, tcp

if TYPE_CHECKING:
    import pytest


def test_columns_are_aligned_with_rows_taken_in_any_order() -> None:
    count = np.array([2, 0, 3, 1], np.uint8)
    items = np.array([10, 11, 30, 31, 32, 40])
    assert items[ragged_rows(count, np.array([2, 0]))].tolist() == [30, 31, 32, 10, 11]


@given(counts=st.lists(st.integers(0, 4), min_size=1, max_size=12), data=st.data())
def test_ragged_rows_are_those_of_lists_of_lists(counts: list[int], data: st.DataObject) -> None:
    lists = [[10 * place + item for item in range(count)] for place, count in enumerate(counts)]
    rows = data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=12))
    flat = np.array([item for each in lists for item in each], np.int64)
    chosen = ragged_rows(np.array(counts, np.uint8), np.array(rows, np.int64))
    assert flat[chosen].tolist() == [item for row in rows for item in lists[row]]


def test_parts_of_a_capture_are_joined_with_their_names(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("a") / "a.pcap"
    packets = [
        tcp((f"10.0.0.{host}", 40000), payload=client_hello(f"{host}.example"), tcp_options=options(sacks=((host, 9),)))
        for host in (1, 2, 3)
    ]
    path.write_bytes(pcap([Stamped(START_US, packet) for packet in packets], link_type=101))
    (whole,) = iter_packets(path)
    parts = [whole.take(np.array([row])) for row in range(3)]
    assert [part.server_names for part in parts] == [{0: "1.example"}, {1: "2.example"}, {2: "3.example"}]
    joined = concatenate(parts)
    assert joined.server_names == whole.server_names
    assert joined.sack_start.tolist() == whole.sack_start.tolist() == [1, 2, 3]
    backwards = whole.take(np.array([2, 0]))
    assert (backwards.index.tolist(), backwards.sack_start.tolist()) == ([2, 0], [3, 1])


numbers = st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=40))
def test_equal_rows_have_equal_numbers_and_others_do_not(rows: list[tuple[int, int]]) -> None:
    mixed = mix_columns(np.array([row[column] for row in rows], np.uint64) for column in range(2)).tolist()
    assert len(set(mixed)) == len(set(rows))


def test_ends_that_are_exchanged_are_another_row() -> None:
    one, two = np.array([1], np.uint64), np.array([2], np.uint64)
    assert mix_columns((one, two)) != mix_columns((two, one))
