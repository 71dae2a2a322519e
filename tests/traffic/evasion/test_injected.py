from __future__ import annotations

import pytest

from testbed.middlebox.packet import ACK, FIN, RST
from testbed.traffic.evasion.injected import InjectedFin, InjectedReset
from tests.traffic.evasion.talk import SEQUENCE, played


@pytest.mark.parametrize("when", ["before", "after"])
def test_injected_packets_carry_nothing_but_the_flag(when: str) -> None:
    for evasion, flags in ((InjectedReset(when=when), RST), (InjectedFin(when=when), FIN | ACK)):
        talk = played(evasion.passage("twitter.com"))
        assert [verb for verb, _ in talk.done] == (["emit", "send"] if when == "before" else ["send", "emit"])
        [packet] = talk.emitted()
        assert (packet.flags, packet.payload, packet.ttl, packet.seq) == (flags, b"", 6, SEQUENCE)
