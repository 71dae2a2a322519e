"""ClientHellos as OpenSSL sends them, and the ways in which the papers changed them."""

from __future__ import annotations

import ssl
from functools import cache

__all__ = ["client_hello", "extensions_length_offset", "padded"]

_PADDING_EXTENSION = 21
_RANDOM = slice(11, 43)
_HYBRID_SINCE = (3, 5)  # OpenSSL sends a hybrid key share by default; no client of 2021 had one


@cache
def client_hello(name: str | None = None) -> bytes:
    """Return a ClientHello record for a name, as OpenSSL sent it in 2021; None: without server_name."""
    context = ssl.create_default_context()
    if ssl.OPENSSL_VERSION_INFO[:2] >= _HYBRID_SINCE:
        context.set_ecdh_curve("prime256v1")  # without the hybrid key share, for which a packet has no room
    # Only its first message is wanted, and no server will ever answer it.
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake cannot end without an answer")


def extensions_length_offset(hello: bytes) -> int:
    """Return where the length of all extensions stands in a hello record."""
    at = 43
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    return at + 1 + hello[at]


def padded(hello: bytes, size: int) -> bytes:
    """Return a hello record inflated to ``size`` bytes with the padding extension (RFC 7685)."""
    extra = size - len(hello)
    extension = _PADDING_EXTENSION.to_bytes(2, "big") + (extra - 4).to_bytes(2, "big") + bytes(extra - 4)
    grown = bytearray(hello + extension)
    for offset, width in ((3, 2), (6, 3), (extensions_length_offset(hello), 2)):
        value = int.from_bytes(hello[offset : offset + width], "big") + extra
        grown[offset : offset + width] = value.to_bytes(width, "big")
    return bytes(grown)
