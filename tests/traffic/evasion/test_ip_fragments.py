from __future__ import annotations

from testbed.middlebox.fragments import joined
from testbed.traffic.evasion.ip_fragments import IpFragments
from testbed.traffic.hello import client_hello
from tests.traffic.evasion.talk import played

HELLO = client_hello("twitter.com")


def test_the_kernels_own_segment_dies_and_the_fragments_carry_the_same_bytes() -> None:
    talk = played(IpFragments(size=256).passage("twitter.com"))
    assert talk.done[0] == ("send to die", HELLO)
    assert joined(talk.emitted()).payload == HELLO
