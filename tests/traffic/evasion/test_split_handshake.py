from __future__ import annotations

from testbed.traffic.evasion.split_handshake import SplitHandshake
from testbed.traffic.hello import client_hello
from tests.traffic.evasion.talk import played

HELLO = client_hello("twitter.com")


def test_a_split_handshake_is_opened_by_both() -> None:
    passage = SplitHandshake().passage("twitter.com")
    assert passage.opens == "both"
    assert played(passage).sent() == [HELLO]
