"""Elements as X.690 has them; another implementation reads them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from testbed.engine.prepare.origin_key import origin_key
from testbed.traffic.der import bits, context, element, identifier, integer, integers_of, sequence


@pytest.mark.parametrize(
    ("length", "head"),
    [(0, "0400"), (127, "047f"), (128, "048180"), (255, "0481ff"), (256, "04820100"), (65_536, "0483010000")],
)
def test_a_length_is_written_in_as_few_bytes_as_it_takes(length: int, head: str) -> None:
    assert element(0x04, bytes(length)) == bytes.fromhex(head) + bytes(length)


@pytest.mark.parametrize(
    ("dotted", "encoded"),
    [("2.5.4.3", "0603550403"), ("1.2.840.10045.4.3.2", "06082a8648ce3d040302"), ("2.999.3", "0603883703")],
)
def test_an_identifier_has_its_numbers_in_base_128(dotted: str, encoded: str) -> None:
    assert identifier(dotted).hex() == encoded


@pytest.mark.parametrize(("value", "encoded"), [(0, "020100"), (127, "02017f"), (128, "02020080"), (256, "02020100")])
def test_a_number_never_looks_negative(value: int, encoded: str) -> None:
    assert integer(value).hex() == encoded


def test_an_element_of_its_place_says_whether_it_has_elements() -> None:
    assert (context(2, b"a").hex(), context(0, integer(1), constructed=True).hex()) == ("820161", "a003020101")


def test_a_string_of_bits_says_how_many_are_unused() -> None:
    assert bits(b"\xa0", unused=5).hex() == "030205a0"


@given(st.lists(st.integers(min_value=0, max_value=1 << 4096), max_size=20))
def test_numbers_are_read_as_they_were_written(numbers: list[int]) -> None:
    assert integers_of(sequence(*map(integer, numbers))) == numbers


def test_what_follows_a_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="1 bytes follow"):
        integers_of(sequence(integer(1)) + b"x")


def test_the_numbers_of_a_key_are_those_that_another_program_finds() -> None:
    key = load_pem_private_key(origin_key().encode(), None)
    assert isinstance(key, RSAPrivateKey)
    numbers = integers_of(key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    public = key.public_key().public_numbers()
    assert numbers[:3] == [0, public.n, public.e]
