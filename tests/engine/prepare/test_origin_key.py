"""The key of all origins: the same every time, and one that other programs take."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from testbed.engine.prepare.origin_key import _is_prime, origin_key


def test_the_key_is_the_same_every_time() -> None:
    assert origin_key() == origin_key()


def test_the_key_is_whole() -> None:
    """The library checks that the primes are primes, and that all numbers belong together."""
    key = load_pem_private_key(origin_key().encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 2048
    assert key.public_key().public_numbers().e == 65_537


def test_primes_are_told_from_numbers_that_resemble_them() -> None:
    primes, others = (101, 103, 7919, 2**127 - 1), (561 * 101, 7919 * 7927, 2**129 - 1, 341_550_071_728_321)
    assert [_is_prime(number) for number in primes] == [True] * 4
    assert [_is_prime(number) for number in others] == [False] * 4
