"""A resolver on the client's loopback interface, for programs that ask DNS themselves instead of reading /etc/hosts.

It knows the scenario's names and nothing else, and no query of its own is on the wire. Source of the format: RFC 1035,
section 4. Not for: zones, caching, TCP; every answer fits a datagram.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["answer", "open_resolver"]

PORT = 53
_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")
_RECORD = struct.Struct("!3HIH")
_IS_RESPONSE, _AUTHORITATIVE, _RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x8000, 0x0400, 0x0100, 0x0080
_OPCODE = 0x7800
_FORMAT_ERROR, _NO_SUCH_NAME, _NOT_IMPLEMENTED = 1, 3, 4
_A, _PTR, _AAAA, _INTERNET = 1, 12, 28, 1
_TO_THE_QUESTION = 0xC000 | _HEADER.size  # a compressed name: as in the question, which follows the header
_TTL_S = 60  # long enough that no program asks twice in a transfer
_LONGEST_LABEL = 63
_NONE: Mapping[str, str] = MappingProxyType({})


def open_resolver() -> socket.socket:
    """Return a bound socket, in the namespace of the caller. Raises OSError."""
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver.bind(("127.0.0.1", PORT))
    return resolver


def answer(query: bytes, names: Mapping[str, str], names6: Mapping[str, str] = _NONE) -> bytes | None:
    """Return the response to a query.

    Args:
        query: As received; it may hold anything.
        names: DNS name (lower case, without final dot) to IPv4 address.
        names6: To IPv6 address; a name may be in both.

    Returns:
        None where nothing can be answered: the header is cut short, or it is a response itself.
    """
    if len(query) < _HEADER.size:
        return None
    number, flags, questions, *_ = _HEADER.unpack_from(query)
    if flags & _IS_RESPONSE:
        return None
    # Authoritative, and with recursion: so no stub resolver looks for a better server.
    flags = _IS_RESPONSE | _AUTHORITATIVE | _RECURSION_AVAILABLE | flags & (_OPCODE | _RECURSION_DESIRED)
    if flags & _OPCODE:
        return _HEADER.pack(number, flags | _NOT_IMPLEMENTED, 0, 0, 0, 0)
    try:
        name, end = _name(query, _HEADER.size)
        kind, family = _QUESTION.unpack_from(query, end)
    except (IndexError, ValueError, struct.error):
        return _HEADER.pack(number, flags | _FORMAT_ERROR, 0, 0, 0, 0)
    if questions != 1:
        return _HEADER.pack(number, flags | _FORMAT_ERROR, 0, 0, 0, 0)
    question = query[_HEADER.size : end + _QUESTION.size]
    known, data = _look_up(name, kind if family == _INTERNET else 0, names, names6)
    code = 0 if known else _NO_SUCH_NAME
    head = _HEADER.pack(number, flags | code, 1, len(data), 0, 0)
    records = [_RECORD.pack(_TO_THE_QUESTION, kind, _INTERNET, _TTL_S, len(each)) + each for each in data]
    return head + question + b"".join(records)


def _look_up(name: str, kind: int, names: Mapping[str, str], names6: Mapping[str, str]) -> tuple[bool, list[bytes]]:
    """Return whether a name is known, and its records of a kind."""
    if name.endswith(".in-addr.arpa"):
        address = ".".join(reversed(name.removesuffix(".in-addr.arpa").split(".")))
        owners = [owner for owner, each in names.items() if each == address]
        return bool(owners), [_encoded(owner) for owner in owners[:1] if kind == _PTR]
    if name.endswith(".ip6.arpa"):
        owners = [owner for owner, each in names6.items() if ipaddress.IPv6Address(each).reverse_pointer == name]
        return bool(owners), [_encoded(owner) for owner in owners[:1] if kind == _PTR]
    if name not in names and name not in names6:
        return False, []
    asked = {_A: names, _AAAA: names6}.get(kind, _NONE)
    return True, [ipaddress.ip_address(asked[name]).packed] if name in asked else []


def _name(query: bytes, at: int) -> tuple[str, int]:
    """Return a name in a question, in lower case, and where it ends. Raises IndexError, ValueError."""
    labels = []
    while length := query[at]:
        if length > _LONGEST_LABEL or at + length >= len(query):
            raise ValueError("a label is cut short, or compressed where nothing is to point to")
        labels.append(query[at + 1 : at + 1 + length].decode("latin-1").lower())
        at += 1 + length
    return ".".join(labels), at + 1


def _encoded(name: str) -> bytes:
    labels = [label.encode("latin-1") for label in name.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
