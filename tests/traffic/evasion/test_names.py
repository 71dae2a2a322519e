from __future__ import annotations

import pytest

from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.tls import recognise
from testbed.traffic.evasion.names import EncryptedHello, Inverted, MixedCase, NoName, OtherName, Plain, TrailingDot
from tests.traffic.evasion.talk import played

Evasion = Plain | Inverted | MixedCase | NoName | OtherName | TrailingDot | EncryptedHello


def payload(evasion: Evasion) -> bytes:
    [sent] = played(evasion.passage("twitter.com")).sent()
    return sent


@pytest.mark.parametrize(
    ("evasion", "name"),
    [
        (Plain(), "twitter.com"),
        (TrailingDot(), "twitter.com."),
        (MixedCase(), "tWiTtEr.cOm"),
        (NoName(), None),
        (OtherName(other="example.net"), "example.net"),
        (EncryptedHello(outer="example.net"), "example.net"),
    ],
)
def test_the_name_that_a_hello_shows(evasion: Evasion, name: str | None) -> None:
    seen = recognise(payload(evasion))
    assert isinstance(seen, Hello)
    assert seen.name == name


def test_an_encrypted_hello_has_the_true_name_nowhere() -> None:
    assert b"twitter" not in payload(EncryptedHello())


def test_an_inverted_hello_is_the_hello_inverted() -> None:
    assert recognise(payload(Inverted())) is Outcome.NOT_THIS
    assert bytes(255 - each for each in payload(Inverted())) == payload(Plain())
