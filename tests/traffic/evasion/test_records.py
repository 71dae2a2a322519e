"""Evasions that change the bytes of the one packet that holds the hello."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.tls import join_records, recognise
from testbed.traffic.evasion.names import EncryptedHello, Inverted, NoName, OtherName, Plain, TrailingDot
from testbed.traffic.evasion.record_first import RecordFirst
from testbed.traffic.evasion.tls_split import TlsSplit
from tests.traffic.evasion.talk import played


def payload(evasion: Plain | Inverted | NoName | OtherName | TrailingDot | EncryptedHello | RecordFirst) -> bytes:
    [sent] = played(evasion.passage("twitter.com")).sent()
    return sent


def shown_name(data: bytes) -> object:
    result = recognise(data)
    return result.name if isinstance(result, Hello) else result


@pytest.mark.parametrize(
    ("evasion", "name"),
    [
        (Plain(), "twitter.com"),
        (TrailingDot(), "twitter.com."),
        (NoName(), None),
        (OtherName(other="example.net"), "example.net"),
        (EncryptedHello(outer="example.net"), "example.net"),
        (Inverted(), Outcome.NOT_THIS),
        (RecordFirst(), Outcome.VALID),
        (RecordFirst(record="alert"), Outcome.VALID),
        (RecordFirst(record="application_data"), Outcome.VALID),
    ],
)
def test_a_reader_of_the_first_record_sees(evasion: Plain, name: object) -> None:
    assert shown_name(payload(evasion)) == name


def test_an_inverted_hello_is_the_hello_inverted() -> None:
    assert bytes(255 - each for each in payload(Inverted())) == payload(Plain())


@given(at=st.integers(1, 511))
def test_a_split_message_is_whole_again_when_its_records_are_joined(at: int) -> None:
    [sent] = played(TlsSplit(at=at).passage("twitter.com")).sent()
    assert shown_name(sent) != "twitter.com"
    assert shown_name(join_records(sent)) == "twitter.com"
