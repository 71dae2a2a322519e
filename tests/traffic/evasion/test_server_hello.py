from __future__ import annotations

from testbed.traffic.conversation import Give
from testbed.traffic.evasion.server_hello import ServerHello
from testbed.traffic.hello import client_hello
from tests.traffic.evasion.talk import played

HELLO = client_hello("twitter.com")


def test_the_server_alone_sends_the_hello() -> None:
    passage = ServerHello().passage("twitter.com")
    assert passage.steps == (Give(HELLO),)
    assert played(passage).done == [("receive", len(HELLO))]
