"""Packets for the box alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from scapy.layers.inet import TCP

from testbed.middlebox.craft import tcp_segment
from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.tls import recognise
from testbed.traffic.evasion.fake import FakeHello, FakeRandom, Md5Option, WrongChecksum, WrongSequence, spoiled
from testbed.traffic.hello import client_hello
from tests.traffic.evasion.talk import ENDS, SEQUENCE, RecordedTalk, played

if TYPE_CHECKING:
    from testbed.traffic.conversation import Passage

HELLO = client_hello("twitter.com")


def order(talk: RecordedTalk) -> list[str]:
    return [verb for verb, _ in talk.done]


def played_fake(passage: Passage) -> RecordedTalk:
    talk = played(passage)
    assert order(talk) == ["emit", "send"]
    assert talk.sent() == [HELLO]
    return talk


def test_a_fake_hello_dies_on_the_way_and_names_somebody_else() -> None:
    [fake] = played_fake(FakeHello(ttl=4).passage("twitter.com")).emitted()
    seen = recognise(fake.payload)
    assert isinstance(seen, Hello)
    assert (seen.name, fake.ttl, fake.seq) == ("example.org", 4, SEQUENCE)


@pytest.mark.parametrize("evasion", [FakeRandom(), WrongChecksum(), WrongSequence(), Md5Option()])
def test_random_packets_are_long_enough_and_no_protocol(
    evasion: FakeRandom | WrongChecksum | WrongSequence | Md5Option,
) -> None:
    [fake] = played_fake(evasion.passage("twitter.com")).emitted()
    assert len(fake.payload) == 150
    assert recognise(fake.payload) is Outcome.NOT_THIS


def test_what_keeps_the_fake_from_the_server() -> None:
    low, checksum, sequence = (
        played_fake(each.passage("twitter.com")).emitted()[0]
        for each in (FakeRandom(ttl=3), WrongChecksum(), WrongSequence(behind=5000))
    )
    assert (low.ttl, checksum.ttl, sequence.ttl) == (3, 64, 64)
    assert (low.seq, checksum.seq, sequence.seq) == (SEQUENCE, SEQUENCE, SEQUENCE - 5000)
    assert low.data[36:38] != checksum.data[36:38]


def test_a_signature_is_one_option_that_others_read() -> None:
    [fake] = played_fake(Md5Option().passage("twitter.com")).emitted()
    segment = TCP(fake.data[20:])
    [(kind, digest)] = [(kind, value) for kind, value in segment.options if kind not in {"NOP", "EOL"}]
    assert (kind, len(digest)) == ("MD5", 16)
    assert (fake.seq, fake.ttl, bytes(segment.payload)) == (SEQUENCE, 64, fake.payload)


@pytest.mark.parametrize(("ends", "at"), [({}, 36), ({"src": bytes(15) + b"1", "dst": bytes(15) + b"2"}, 56)])
def test_spoiling_changes_the_checksum_alone(ends: dict[str, Any], at: int) -> None:
    segment = tcp_segment(**{**ENDS, **ends}, payload=b"x" * 9)
    changed = spoiled(segment)
    assert [index for index in range(len(segment)) if segment[index] != changed[index]] == [at, at + 1]
    assert spoiled(changed) == segment
