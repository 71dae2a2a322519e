from __future__ import annotations

from testbed.traffic.evasion.tcp_reverse import TcpReverse
from testbed.traffic.hello import client_hello
from tests.traffic.evasion.talk import played

HELLO = client_hello("twitter.com")


def test_tcp_reverse_lets_the_first_segment_die() -> None:
    assert played(TcpReverse(at=5).passage("twitter.com")).done == [("send to die", HELLO[:5]), ("send", HELLO[5:])]
