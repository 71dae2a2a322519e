from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.conversation import (
    Bulk,
    DatagramPassage,
    Give,
    Passage,
    Step,
    Take,
    object_pieces,
    steps_from_json,
)

STEPS = st.one_of(
    st.integers(0, 1 << 40).map(Take), st.binary(max_size=50).map(Give), st.integers(0, 1 << 40).map(Bulk)
)


@given(steps=st.lists(STEPS, max_size=6), size=st.integers(1, 1 << 40))
def test_steps_survive_the_order(steps: list[Step], size: int) -> None:
    order = Passage(steps=tuple(steps), send=lambda _: None).order(transfer="x", size=size, timeout_s=3)
    assert steps_from_json(order["steps"]) == [*steps, Bulk(size)]
    assert (order["id"], order["opens"], order["protocol"]) == ("x", "near", "tcp")


def test_the_far_end_takes_all_datagrams() -> None:
    order = DatagramPassage((b"abc", b"defg")).order(transfer="x", size=9, timeout_s=3)
    assert steps_from_json(order["steps"]) == [Take(7), Bulk(9)]
    assert order["protocol"] == "udp"


@given(size=st.integers(0, 5000), piece=st.integers(1, 1500))
def test_an_object_has_its_size_in_pieces_of_one_size(size: int, piece: int) -> None:
    pieces = list(object_pieces(size, piece))
    assert sum(map(len, pieces)) == size
    assert all(len(each) == piece for each in pieces[:-1])


def test_an_object_begins_as_application_data() -> None:
    assert next(object_pieces(100, 100))[:5] == b"\x17\x03\x03\x40\x00"
