"""AES as QUIC's Initial packets need it (RFC 9001, section 5).

Importing this loads OpenSSL, which moves a guest's clock on: it is done before the measurements.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

__all__ = ["decrypt", "encrypt", "encrypt_block"]


def encrypt_block(key: bytes, block: bytes) -> bytes:
    """Return one block in ECB, which is what header protection is made of (RFC 9001, section 5.4.3)."""
    return Cipher(AES(key), ECB()).encryptor().update(block)  # noqa: S305 - one block: nothing repeats


def encrypt(key: bytes, nonce: bytes, data: bytes, header: bytes) -> bytes:
    """Seal with AES-GCM."""
    return AESGCM(key).encrypt(nonce, data, header)


def decrypt(key: bytes, nonce: bytes, data: bytes, header: bytes) -> bytes | None:
    """Open AES-GCM; None if it was not sealed with this key, nonce and header."""
    try:
        return AESGCM(key).decrypt(nonce, data, header)
    except InvalidTag:
        return None
