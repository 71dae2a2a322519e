from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.craft import tcp_segment
from testbed.middlebox.fragments import joined
from testbed.middlebox.packet import Direction, Packet
from testbed.traffic.evasion.ip_fragments import IpFragments, fragments
from testbed.traffic.hello import client_hello
from tests.traffic.evasion.talk import ENDS, played

HELLO = client_hello("twitter.com")


@given(payload=st.binary(min_size=1, max_size=600), size=st.integers(8, 517))
def test_fragments_join_to_the_datagram(payload: bytes, size: int) -> None:
    whole = tcp_segment(**ENDS, payload=payload)  # type: ignore[arg-type]
    pieces = [Packet.parse(each, Direction.UP) for each in fragments(whole, size)]
    assert all(len(piece.body) <= size for piece in pieces)
    assert b"".join(piece.body for piece in pieces) == whole[20:]
    assert [piece.more_fragments for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    if len(pieces) > 1:
        assert joined(pieces).payload == payload


def test_the_kernels_own_segment_dies_and_the_fragments_carry_the_same_bytes() -> None:
    talk = played(IpFragments(size=256).passage("twitter.com"))
    assert talk.done[0] == ("send to die", HELLO)
    assert joined(talk.emitted()).payload == HELLO
