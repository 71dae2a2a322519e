from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.evasion.tcp_split import TcpSplit
from testbed.traffic.hello import client_hello
from tests.traffic.evasion.talk import played

HELLO = client_hello("twitter.com")


@given(at=st.integers(1, len(HELLO) - 1))
def test_tcp_split_sends_two_segments_at_any_byte(at: int) -> None:
    assert played(TcpSplit(at=at).passage("twitter.com")).done == [("send", HELLO[:at]), ("send", HELLO[at:])]
