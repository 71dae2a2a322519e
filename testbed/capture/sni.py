"""Read the server name out of a TLS ClientHello, to name flows of captures. The middlebox parses for itself."""

from __future__ import annotations

__all__ = ["server_name"]

_HELLO_FIXED_BYTES = 43  # record header 5, handshake header 4, version 2, random 32: RFC 8446 §4.1.2, §5.1
_SERVER_NAME = 0


def server_name(payload: bytes) -> str | None:
    """Return the server name of a ClientHello that begins ``payload``, or None if there is none to be read.

    A hello that goes on in the next packet still gives its name when the name lies in this one.
    """
    try:
        at = _HELLO_FIXED_BYTES
        at += 1 + payload[at]  # session id
        at += 2 + int.from_bytes(payload[at : at + 2])  # cipher suites
        at += 1 + payload[at]  # compression methods
    except IndexError:
        return None
    at += 2  # length of all extensions
    while at + 4 <= len(payload):
        kind = int.from_bytes(payload[at : at + 2])
        size = int.from_bytes(payload[at + 2 : at + 4])
        if kind == _SERVER_NAME:
            return _first_name(payload[at + 4 : at + 4 + size])
        at += 4 + size
    return None


def _first_name(extension: bytes) -> str | None:
    size = int.from_bytes(extension[3:5])
    name = extension[5 : 5 + size]
    if not name or len(name) < size:
        return None
    try:
        return name.decode("ascii").lower()
    except UnicodeDecodeError:
        return None
