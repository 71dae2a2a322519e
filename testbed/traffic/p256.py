"""Signatures on the curve P-256 that are the same for the same key and message (ECDSA with SHA-256).

A program of its own for three signatures costs the guest more than a whole transfer. What is signed here is public, and
so is the key: no care is taken that nobody learns it from how long this takes.

Sources: FIPS 186-5 and SP 800-186 (the curve), RFC 6979 (the number that a signature must not share with another).
Not for: any use in which a key has to be secret.
"""

from __future__ import annotations

import hashlib
import hmac

__all__ = ["ORDER", "public_point", "sign"]

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_X = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
_Y = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
_BYTES = 32
_UNCOMPRESSED = b"\x04"


def public_point(key: int) -> bytes:
    """Return the public key of a private one, uncompressed (SEC 1, section 2.3.3)."""
    x, y = _multiple(key)
    return _UNCOMPRESSED + x.to_bytes(_BYTES, "big") + y.to_bytes(_BYTES, "big")


def sign(key: int, message: bytes) -> tuple[int, int]:
    """Return both numbers of a signature."""
    digest = hashlib.sha256(message).digest()
    value = int.from_bytes(digest, "big")
    number = _number_of(key, digest)
    r = _multiple(number)[0] % ORDER
    return r, pow(number, -1, ORDER) * (value + r * key) % ORDER


def _number_of(key: int, digest: bytes) -> int:
    """Return the number that a signature is made with, from key and message alone (RFC 6979, section 3.2)."""
    seed = key.to_bytes(_BYTES, "big") + (int.from_bytes(digest, "big") % ORDER).to_bytes(_BYTES, "big")
    inner, outer = bytes(_BYTES), b"\x01" * _BYTES
    for separator in (b"\0", b"\x01"):
        inner = _mac(inner, outer + separator + seed)
        outer = _mac(inner, outer)
    while True:
        outer = _mac(inner, outer)
        number = int.from_bytes(outer, "big")
        if 0 < number < ORDER:
            return number
        inner = _mac(inner, outer + b"\0")
        outer = _mac(inner, outer)


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _multiple(factor: int) -> tuple[int, int]:
    """Return a multiple of the curve's generator, by doubling and adding in Jacobian coordinates.

    From one to the order of the curve no sum on the way is of a point and itself or its opposite, so none of the
    special cases of the addition comes.
    """
    x, y, z = _X, _Y, 1
    for digit in f"{factor:b}"[1:]:
        x, y, z = _doubled(x, y, z)
        if digit == "1":
            x, y, z = _with_generator(x, y, z)
    inverse = pow(z, -1, _P)
    return x * inverse**2 % _P, y * inverse**3 % _P


def _doubled(x: int, y: int, z: int) -> tuple[int, int, int]:
    square = y * y % _P
    four = 4 * x * square % _P
    slope = 3 * (x - z * z) * (x + z * z) % _P
    new = (slope * slope - 2 * four) % _P
    return new, (slope * (four - new) - 8 * square * square) % _P, 2 * y * z % _P


def _with_generator(x: int, y: int, z: int) -> tuple[int, int, int]:
    square = z * z % _P
    across = (_X * square - x) % _P
    up = (_Y * z * square - y) % _P
    across2 = across * across % _P
    across3 = across * across2 % _P
    at = x * across2 % _P
    new = (up * up - across3 - 2 * at) % _P
    return new, (up * (at - new) - y * across3) % _P, z * across % _P
