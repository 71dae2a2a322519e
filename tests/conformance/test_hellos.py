"""Hellos as OpenSSL sends them, and as the papers changed them."""

from __future__ import annotations

import pytest

from testbed.conformance.hellos import client_hello, extensions_length_offset, padded
from testbed.middlebox.recognise import Hello, tls


@pytest.mark.parametrize("name", ["twitter.com", "t.co", None])
def test_a_hello_is_one_packet_with_its_name(name: str | None) -> None:
    hello = client_hello(name)
    found = tls.recognise(hello)
    assert isinstance(found, Hello)
    assert found.name == name
    assert len(hello) < 1460


def test_the_extensions_end_with_the_hello() -> None:
    hello = client_hello("twitter.com")
    at = extensions_length_offset(hello)
    assert at + 2 + int.from_bytes(hello[at : at + 2], "big") == len(hello)


@pytest.mark.parametrize("size", [600, 1460, 1800])
def test_a_padded_hello_has_its_size_and_is_whole(size: int) -> None:
    hello = padded(client_hello("twitter.com"), size)
    found = tls.recognise(hello)
    assert len(hello) == size
    assert isinstance(found, Hello)
    assert found.name == "twitter.com"
