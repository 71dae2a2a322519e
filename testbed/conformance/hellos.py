"""ClientHellos as OpenSSL sends them, and the ways in which the papers changed them."""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING

from testbed.middlebox.profile.conditions import EXTENSIONS
from testbed.traffic.evasion.quic import frame, initial_packet

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["client_hello", "extended", "extensions_length_offset", "named_extensions", "padded", "quic_initial"]


_RECORD_HEADER, _EXTENSION_HEADER = 5, 4
_CONNECTION_ID_BYTES = 8
_ANY_BYTES = 8

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
    return extended(hello, {_PADDING_EXTENSION: bytes(size - len(hello) - _EXTENSION_HEADER)})


def extended(hello: bytes, extensions: Mapping[int, bytes]) -> bytes:
    """Return a hello record with further extensions, by number, behind its own."""
    more = b"".join(
        number.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data for number, data in extensions.items()
    )
    grown = bytearray(hello + more)
    for offset, width in ((3, 2), (6, 3), (extensions_length_offset(hello), 2)):
        value = int.from_bytes(hello[offset : offset + width], "big") + len(more)
        grown[offset : offset + width] = value.to_bytes(width, "big")
    return bytes(grown)


def named_extensions(*names: str) -> dict[int, bytes]:
    """Return extensions by their names in profiles, for `extended`; what they hold is zeros."""
    return {EXTENSIONS[name]: bytes(_ANY_BYTES) for name in names}


def quic_initial(hello: bytes, version: int = 1) -> bytes:
    """Return the datagram of a client whose hello, given as a record, fits into one; ``version``: 1 or 2."""
    destination, source = b"\1" * _CONNECTION_ID_BYTES, b"\2" * _CONNECTION_ID_BYTES
    return initial_packet(version, destination, source, 0, frame(0, hello[_RECORD_HEADER:]))
