from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.stream import Stream

MESSAGE = bytes(range(200))


@given(st.integers(0, 2**32 - 1), st.lists(st.tuples(st.integers(0, 199), st.integers(1, 60)), max_size=20))
def test_any_segments_in_any_order_give_the_beginning_of_the_message(start: int, pieces: list[tuple[int, int]]) -> None:
    stream = Stream(1000)
    stream.start(start)
    for offset, size in pieces:
        stream.add((start + offset) % 2**32, MESSAGE[offset : offset + size])
    covered = 0
    for offset, size in sorted(pieces):
        if offset > covered:
            break
        covered = max(covered, min(offset + size, len(MESSAGE)))
    assert stream.data == MESSAGE[:covered]


@given(st.integers(0, 2**32 - 1), st.integers(1, 199), st.booleans())
def test_two_segments_split_anywhere_give_the_message(start: int, at: int, in_order: bool) -> None:  # noqa: FBT001
    stream = Stream(1000)
    stream.start(start)
    pieces = [(start, MESSAGE[:at]), (start + at, MESSAGE[at:])]
    for seq, payload in pieces if in_order else reversed(pieces):
        stream.add(seq % 2**32, payload)
    assert stream.data == MESSAGE


def test_without_a_syn_the_first_segment_begins_the_stream() -> None:
    stream = Stream(100)
    stream.add(500, b"later")
    stream.add(400, b"earlier")
    assert stream.data == b"later"


def test_the_first_copy_counts() -> None:
    stream = Stream(100)
    stream.add(0, b"abcd")
    stream.add(2, b"XYef")
    assert stream.data == b"abcdef"


def test_restart_goes_on_with_what_came_early() -> None:
    stream = Stream(100)
    stream.add(0, b"abc")
    stream.add(5, b"fg")
    stream.restart()
    assert stream.data == b""
    stream.add(3, b"de")
    assert stream.data == b"defg"


def test_no_more_than_the_limit_is_kept() -> None:
    stream = Stream(10)
    for offset in range(0, 10_000, 7):
        stream.add(offset, bytes(50))
    assert len(stream.data) == 10
    assert len(stream._later) == 0
