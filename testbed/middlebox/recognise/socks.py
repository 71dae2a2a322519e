"""SOCKS 4, 4a and 5: greetings, requests, and the proxy's answers to them (RFC 1928, RFC 1929, SOCKS 4 protocol).

The boxes of 2021 went on inspecting after such packets (X21 §6.2). A message must fill its packet exactly: without
that, two random bytes would do.
"""

from __future__ import annotations

from testbed.middlebox.recognise.result import Hello, Outcome, Result

__all__ = ["recognise"]

_VERSION4, _VERSION5 = 4, 5
_SOCKS4_REPLY = 8  # bytes
_SHORTEST_SOCKS4 = 9  # bytes of a request: a user ID that is empty, and its zero byte
_NAME_LENGTH_AT = 4  # in a request for a domain
_COMMANDS = frozenset({1, 2, 3})  # connect, bind, UDP associate
_SOCKS4_REPLIES = range(0x5A, 0x5E)
_ADDRESS_LENGTH = {1: 4, 4: 16}
_DOMAIN = 3


def recognise(payload: bytes) -> Result:
    """Say whether ``payload`` is one SOCKS message.

    Returns:
        `Hello` with the name in a request for a domain (SOCKS 4a, 5), or with None for an address;
        ``VALID`` for a greeting or an answer; ``NEED_MORE`` for the beginning of a message; else ``NOT_THIS``.
    """
    if not payload:
        return Outcome.NEED_MORE
    if payload[0] == _VERSION5:
        return _version5(payload)
    if payload[0] == _VERSION4:
        return _version4(payload)
    if payload[0] == 0 and len(payload) == _SOCKS4_REPLY and payload[1] in _SOCKS4_REPLIES:
        return Outcome.VALID
    return Outcome.NOT_THIS


def _version5(payload: bytes) -> Result:  # noqa: PLR0911 - one return for each shape of message
    size = len(payload)
    if size == 1:
        return Outcome.NEED_MORE
    if size in {2, 2 + payload[1]}:  # the server's choice of method, or the client's greeting
        return Outcome.VALID
    if payload[2] != 0:
        return Outcome.NOT_THIS
    if size <= _NAME_LENGTH_AT:
        return Outcome.NEED_MORE
    kind = payload[3]
    address = 1 + payload[4] if kind == _DOMAIN else _ADDRESS_LENGTH.get(kind, 0)
    end = 4 + address + 2
    if not address or size > end:
        return Outcome.NOT_THIS
    if size < end:
        return Outcome.NEED_MORE
    if payload[1] not in _COMMANDS:
        return Outcome.VALID  # an answer: its second byte is a status
    if kind == _DOMAIN:
        return Hello("socks", payload[5 : 5 + payload[4]].decode("latin-1"), 5, payload[4])
    return Hello("socks", None, 0, 0)


def _version4(payload: bytes) -> Result:  # noqa: PLR0911 - one return for each shape of message
    if len(payload) < _SHORTEST_SOCKS4:
        return Outcome.NEED_MORE if payload[1:2] in {b"", b"\x01", b"\x02"} else Outcome.NOT_THIS
    if payload[1] not in {1, 2}:
        return Outcome.NOT_THIS
    user_end = payload.find(b"\0", 8)
    if user_end < 0:
        return Outcome.NEED_MORE
    named = payload[4:7] == b"\0\0\0" and payload[7] != 0  # SOCKS 4a
    end = payload.find(b"\0", user_end + 1) if named else user_end
    if end < 0:
        return Outcome.NEED_MORE
    if end + 1 != len(payload):
        return Outcome.NOT_THIS
    if not named:
        return Hello("socks", None, 0, 0)
    begin = user_end + 1
    return Hello("socks", payload[begin:end].decode("latin-1"), begin, end - begin)
