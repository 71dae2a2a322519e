"""The RSA key of all origins: the same on every machine and in every run, made once from nothing but a name.

A key that each run makes anew costs the guest more than starting all its servers. This one is public, like all
randomness in the guest, and worth nothing outside.

Source of the form: RFC 8017, appendix A.1.2 (PKCS #1). Not for: any use in which a key has to be secret.
"""

from __future__ import annotations

import base64
import hashlib

from testbed.traffic.der import integer, sequence

__all__ = ["origin_key"]

_NAME = b"the throttling testbed's origins"
_PRIME_BITS = 1024
_EXPONENT = 65_537
_ROUNDS = 20  # of Miller and Rabin; numbers of this size fail one with a chance far below 1 in 4
_SMALL_PRIMES = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)


def origin_key() -> str:
    """Return the private key, PEM."""
    first, second = (_prime(label) for label in (b"first", b"second"))
    modulus, secret = first * second, pow(_EXPONENT, -1, (first - 1) * (second - 1))
    numbers = (
        0, modulus, _EXPONENT, secret, first, second, secret % (first - 1), secret % (second - 1),
        pow(second, -1, first),
    )  # fmt: skip
    text = base64.b64encode(sequence(*map(integer, numbers))).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----", ""])


def _prime(label: bytes) -> int:
    """The first prime from a number on that a label leads to; both upper bits are set, so that a modulus is full."""
    digests = b"".join(hashlib.sha256(_NAME + label + bytes([number])).digest() for number in range(_PRIME_BITS // 256))
    candidate = int.from_bytes(digests, "big") | 0b11 << _PRIME_BITS - 2 | 1
    while not _is_prime(candidate) or (candidate - 1) % _EXPONENT == 0:
        candidate += 2
    return candidate


def _is_prime(number: int) -> bool:
    if any(number % prime == 0 for prime in _SMALL_PRIMES):
        return False
    odd, halvings = number - 1, 0
    while odd % 2 == 0:
        odd, halvings = odd // 2, halvings + 1
    return all(_passes(base, odd, halvings, number) for base in _SMALL_PRIMES[:_ROUNDS])


def _passes(base: int, odd: int, halvings: int, number: int) -> bool:
    """Carry out one round of the test of Miller and Rabin."""
    power = pow(base, odd, number)
    if power in {1, number - 1}:
        return True
    for _ in range(halvings - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
