from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from testbed.middlebox.recognise.quic_cipher import decrypt, encrypt_block

KEY, NONCE = bytes.fromhex("1f369613dd76d5467730efcbe3b1a22d"), bytes.fromhex("fa044b2f42a3fd3b46fb255c")
SEALED = AESGCM(KEY).encrypt(NONCE, b"a hello", b"header")


def test_header_protection_is_that_of_rfc_9001() -> None:
    """Appendix A.2: the mask of the client's Initial."""
    key, sample = (
        bytes.fromhex(each) for each in ("9f50449e04a0e810283a1e9933adedd2", "d1b1c98dd7689fb8ec11d242b123dc9b")
    )
    assert encrypt_block(key, sample)[:5].hex() == "437b9aec36"


def test_what_was_sealed_with_the_key_is_opened() -> None:
    assert decrypt(KEY, NONCE, SEALED, b"header") == b"a hello"


@pytest.mark.parametrize(
    ("key", "nonce", "data", "header"),
    [
        (bytes(16), NONCE, SEALED, b"header"),
        (KEY, bytes(12), SEALED, b"header"),
        (KEY, NONCE, SEALED[:-1] + b"\0", b"header"),
        (KEY, NONCE, SEALED, b"another header"),
        (KEY, NONCE, b"short", b"header"),
    ],
)
def test_anything_else_is_none(key: bytes, nonce: bytes, data: bytes, header: bytes) -> None:
    assert decrypt(key, nonce, data, header) is None
