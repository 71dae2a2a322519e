"""Signatures on P-256: those of RFC 6979, and such that another implementation accepts."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.p256 import ORDER, public_point, sign

# RFC 6979, appendix A.2.5: the key, and what it signs "sample" and "test" with.
KEY = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
SIGNATURES = {
    b"sample": (
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    ),
    b"test": (
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    ),
}


@pytest.mark.parametrize("message", SIGNATURES)
def test_a_signature_is_the_published_one(message: bytes) -> None:
    assert sign(KEY, message) == SIGNATURES[message]


def public_key(key: int) -> ec.EllipticCurvePublicKey:
    return ec.derive_private_key(key, ec.SECP256R1()).public_key()


@given(st.integers(min_value=1, max_value=ORDER - 1), st.binary(max_size=200))
def test_another_implementation_accepts_every_signature_and_has_the_same_public_key(key: int, message: bytes) -> None:
    public = public_key(key)
    public.verify(encode_dss_signature(*sign(key, message)), message, ec.ECDSA(SHA256()))
    assert public_point(key) == public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@pytest.mark.parametrize("key", [1, 2, 3, ORDER - 2, ORDER - 1])
def test_the_first_and_the_last_keys_work(key: int) -> None:
    assert public_point(key) == public_key(key).public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def test_a_signature_is_of_one_message_alone() -> None:
    with pytest.raises(InvalidSignature):
        public_key(KEY).verify(encode_dss_signature(*sign(KEY, b"this")), b"that", ec.ECDSA(SHA256()))
