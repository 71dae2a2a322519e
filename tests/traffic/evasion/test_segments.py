"""Evasions that change how the hello lies in TCP segments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.conversation import SMALL_WINDOW, Passage
from testbed.traffic.evasion.padding import Padding
from testbed.traffic.evasion.small_window import SmallWindow
from testbed.traffic.evasion.split_handshake import SplitHandshake
from testbed.traffic.evasion.tcp_reverse import TcpReverse
from testbed.traffic.evasion.tcp_split import TcpSplit
from testbed.traffic.hello import client_hello
from tests.traffic.evasion.talk import played

HELLO = client_hello("twitter.com")


@given(at=st.integers(1, len(HELLO) - 1))
def test_tcp_split_sends_two_segments_at_any_byte(at: int) -> None:
    assert played(TcpSplit(at=at).passage("twitter.com")).done == [("send", HELLO[:at]), ("send", HELLO[at:])]


def test_tcp_reverse_lets_the_first_segment_die() -> None:
    assert played(TcpReverse(at=5).passage("twitter.com")).done == [("send to die", HELLO[:5]), ("send", HELLO[5:])]


@pytest.mark.parametrize(("passage", "size"), [(Padding().passage("twitter.com"), 1600)])
def test_padding_makes_the_hello_longer_than_a_packet(passage: Passage, size: int) -> None:
    [hello] = played(passage).sent()
    assert len(hello) == size


def test_a_small_window_is_the_servers_doing() -> None:
    passage = SmallWindow().passage("twitter.com")
    [hello] = played(passage).sent()
    assert 576 < len(hello) < 1460
    assert passage.port == SMALL_WINDOW


def test_a_split_handshake_is_opened_by_both() -> None:
    passage = SplitHandshake().passage("twitter.com")
    assert passage.opens == "both"
    assert played(passage).sent() == [HELLO]
