from __future__ import annotations

import pytest

from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.quic import QuicReader
from testbed.traffic.evasion.fake_quic import FakeQuic
from testbed.traffic.evasion.quic import Quic


@pytest.mark.parametrize("fake", ["random", "hello"])
def test_the_true_hello_is_that_without_a_fake(fake: str) -> None:
    passage = FakeQuic(fake=fake, ttl=4).passage("twitter.com")
    assert passage.datagrams == Quic().passage("twitter.com").datagrams
    assert (len(passage.decoys), passage.decoy_ttl) == (1, 4)


def test_noise_is_no_quic() -> None:
    [decoy] = FakeQuic(size=120).passage("twitter.com").decoys
    assert (len(decoy), QuicReader().read(decoy)) == (120, Outcome.NOT_THIS)


def test_a_fake_hello_names_somebody_else_and_has_other_keys() -> None:
    passage = FakeQuic(fake="hello").passage("twitter.com")
    [decoy], [true] = passage.decoys, passage.datagrams
    seen = QuicReader().read(decoy)
    assert isinstance(seen, Hello)
    assert seen.name == "example.org"
    assert decoy[6:14] != true[6:14]  # the connection ID of the server, from which the keys follow


def test_the_far_end_is_not_told_of_the_fake() -> None:
    with_fake, without = (each.passage("twitter.com") for each in (FakeQuic(), Quic()))
    assert with_fake.order(transfer="x", size=9, timeout_s=3) == without.order(transfer="x", size=9, timeout_s=3)
