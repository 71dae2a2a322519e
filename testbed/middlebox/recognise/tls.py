"""The server name of a TLS ClientHello, read the way the boxes of 2021 did.

A walk over the fields, as X21 §6.2 and CP21 found by inverting bytes: content type, record length, handshake type,
handshake length, every variable-length field up to server_name. The first record of the packet alone is looked at.
Version numbers, random, ciphers and other extensions may hold anything. Not for: validating TLS.
"""

from __future__ import annotations

from testbed.middlebox.recognise.result import Hello, Outcome, Result

__all__ = ["HANDSHAKE", "holds_whole_message", "join_records", "recognise", "recognise_message"]

_CONTENT_TYPES = frozenset({20, 21, 22, 23, 24})  # change_cipher_spec, alert, handshake, application_data, heartbeat
HANDSHAKE = 22
_CLIENT_HELLO = 1
_SERVER_NAME = 0
_HOST_NAME = 0
_MAJOR_VERSION = 3

_RECORD_HEADER = 5
_HANDSHAKE_HEADER = 4
_HELLO_START = _RECORD_HEADER + _HANDSHAKE_HEADER
_SESSION_ID = _HELLO_START + 2 + 32  # after version and random


def recognise(payload: bytes) -> Result:
    """Say what the first TLS record in ``payload`` is.

    Args:
        payload: Of one TCP segment, or of several put together.

    Returns:
        `Hello` for a ClientHello that can be walked to its end (name None: it has no server_name);
        ``NEED_MORE`` if a record begins here and goes on beyond the payload;
        ``VALID`` for any other whole record, also for a handshake that cannot be walked;
        ``NOT_THIS`` for everything else.
    """
    size = len(payload)
    if not size:
        return Outcome.NEED_MORE
    content_type = payload[0]
    if content_type not in _CONTENT_TYPES:
        return Outcome.NOT_THIS
    if size < _RECORD_HEADER:
        return Outcome.NEED_MORE if payload[1:2] in {b"", b"\x03"} else Outcome.NOT_THIS
    record_length = payload[3] << 8 | payload[4]
    if content_type == HANDSHAKE and size > _HELLO_START and payload[5] == _CLIENT_HELLO:
        handshake_length = payload[6] << 16 | payload[7] << 8 | payload[8]
        # CP21: record length < TCP payload length, and > handshake length + 4; ">=", since a plain hello has equality.
        if handshake_length + _HANDSHAKE_HEADER <= record_length < size:
            hello = _walk(payload, _HELLO_START + handshake_length)
            if hello is not None:
                return hello
    if payload[1] != _MAJOR_VERSION or not record_length:
        return Outcome.NOT_THIS
    return Outcome.VALID if _RECORD_HEADER + record_length <= size else Outcome.NEED_MORE


def recognise_message(message: bytes) -> Result:
    """Say what a whole handshake message without record header is, as in QUIC. Offsets count from its start."""
    size = min(len(message), 0xFFFF)
    result = recognise(bytes([HANDSHAKE, 3, 1]) + size.to_bytes(2, "big") + message)
    if isinstance(result, Hello) and result.name is not None:
        return result._replace(offset=result.offset - _RECORD_HEADER)
    return result


def join_records(payload: bytes) -> bytes:
    """Put together the handshake message that begins in the first record and goes on in the next ones.

    Returns:
        One record with all of it that is here; the payload as it is where nothing is to be joined.
    """
    message = b""
    at = 0
    while payload[at : at + 1] == bytes([HANDSHAKE]) and at + _RECORD_HEADER <= len(payload):
        end = at + _RECORD_HEADER + (payload[at + 3] << 8 | payload[at + 4])
        message += payload[at + _RECORD_HEADER : end]
        at = end
        if len(message) >= _HANDSHAKE_HEADER:
            needed = _HANDSHAKE_HEADER + int.from_bytes(message[1:4], "big")
            if len(message) >= needed:
                return payload[:3] + min(len(message), 0xFFFF).to_bytes(2, "big") + message
    return payload


def holds_whole_message(record: bytes) -> bool:
    """Return whether the handshake message that begins in this record also ends in it."""
    message = record[_RECORD_HEADER : _RECORD_HEADER + (record[3] << 8 | record[4])]
    return len(message) >= _HANDSHAKE_HEADER and (
        len(message) >= _HANDSHAKE_HEADER + int.from_bytes(message[1:4], "big")
    )


def _walk(payload: bytes, end: int) -> Hello | None:
    """Walk from the session ID to server_name. None: a length does not fit.

    Args:
        payload: The record, from its first byte.
        end: Where the handshake message ends by its own length.
    """
    try:
        at = _SESSION_ID + 1 + payload[_SESSION_ID]
        at += 2 + (payload[at] << 8 | payload[at + 1])  # cipher suites
        at += 1 + payload[at]  # compression methods
        if at == end:
            return Hello("tls", None, 0, 0)
        at += 2
        if at + (payload[at - 2] << 8 | payload[at - 1]) != end:
            return None
        first = at
        while at < end:
            extension = payload[at] << 8 | payload[at + 1]
            start = at + 4
            at = start + (payload[at + 2] << 8 | payload[at + 3])
            if at > end:
                return None
            if extension == _SERVER_NAME:
                hello = _host_name(payload, start, at)
                return None if hello is None else hello._replace(extensions=_extensions(payload, first, end))
    except IndexError:
        return None
    return Hello("tls", None, 0, 0, _extensions(payload, first, end))


def _extensions(payload: bytes, at: int, end: int) -> frozenset[int]:
    """Return the numbers of the extensions at [at, end), up to the first that does not fit: no name hangs on them."""
    found = set()
    while at + 4 <= min(end, len(payload)):
        found.add(payload[at] << 8 | payload[at + 1])
        at += 4 + (payload[at + 2] << 8 | payload[at + 3])
    return frozenset(found)


def _host_name(payload: bytes, start: int, end: int) -> Hello | None:
    """Return the host name in the server_name extension at [start, end); None if its lengths do not fit."""
    list_length = payload[start] << 8 | payload[start + 1]
    name_length = payload[start + 3] << 8 | payload[start + 4]
    offset = start + 5
    if start + 2 + list_length != end or offset + name_length > min(end, len(payload)):
        return None
    if payload[start + 2] != _HOST_NAME:
        return Hello("tls", None, 0, 0)
    # Latin-1 gives every byte a character: a hostile name stays readable and never raises.
    return Hello("tls", payload[offset : offset + name_length].decode("latin-1"), offset, name_length)
