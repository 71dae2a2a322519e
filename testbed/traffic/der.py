"""Distinguished encoding rules: what keys and certificates are written in, as far as the testbed's own need it.

Source: X.690 (2021), sections 8 and 10. Not for: reading what somebody else has written, but for the numbers of a key.
"""

from __future__ import annotations

__all__ = [
    "BIT_STRING", "IA5_STRING", "OCTET_STRING", "PRINTABLE_STRING", "SEQUENCE", "SET", "UTF8_STRING", "bits", "context",
    "element", "identifier", "integer", "integers_of", "sequence",
]  # fmt: skip

INTEGER, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER, UTF8_STRING = 0x02, 0x03, 0x04, 0x06, 0x0C
SEQUENCE, SET, PRINTABLE_STRING, IA5_STRING = 0x30, 0x31, 0x13, 0x16
_CONTEXT, _CONSTRUCTED = 0x80, 0x20
_LONG_FORM = 0x80  # a length from here on is preceded by the number of its bytes
_LOW_BITS, _MORE = 0x7F, 0x80  # of a byte of a number in base 128
_ARCS = 40  # of the second number of an identifier, under each first one


def element(kind: int, *contents: bytes) -> bytes:
    """Return an element: its kind, its length, and its contents one after the other."""
    content = b"".join(contents)
    length = len(content)
    if length < _LONG_FORM:
        return bytes([kind, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([kind, _LONG_FORM | size]) + length.to_bytes(size, "big") + content


def sequence(*contents: bytes) -> bytes:
    """Return a sequence of elements."""
    return element(SEQUENCE, *contents)


def context(number: int, *contents: bytes, constructed: bool = False) -> bytes:
    """Return an element whose kind the place where it stands decides; of elements where it is constructed."""
    return element(_CONTEXT | (_CONSTRUCTED if constructed else 0) | number, *contents)


def integer(value: int) -> bytes:
    """Return a number that is not negative."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def bits(content: bytes, *, unused: int = 0) -> bytes:
    """Return a string of bits, of which the last few may be unused."""
    return element(BIT_STRING, bytes([unused]), content)


def identifier(dotted: str) -> bytes:
    """Return an object identifier, such as ``2.5.4.3``."""
    first, second, *rest = map(int, dotted.split("."))
    content = b""
    for number in (_ARCS * first + second, *rest):
        groups = [number & _LOW_BITS]
        while number := number >> 7:
            groups.append(_MORE | number & _LOW_BITS)
        content += bytes(reversed(groups))
    return element(OBJECT_IDENTIFIER, content)


def integers_of(encoded: bytes) -> list[int]:
    """Return the numbers of a sequence that has numbers alone, such as a key of RSA."""
    content, rest = _split(encoded)
    numbers = []
    while content:
        value, content = _split(content)
        numbers.append(int.from_bytes(value, "big"))
    if rest:
        raise ValueError(f"{len(rest)} bytes follow the sequence")
    return numbers


def _split(encoded: bytes) -> tuple[bytes, bytes]:
    """Return the content of the first element, and what follows it."""
    at, length = 2, encoded[1]
    if length >= _LONG_FORM:
        at += length - _LONG_FORM
        length = int.from_bytes(encoded[2:at], "big")
    return encoded[at : at + length], encoded[at + length :]
