"""ClientHellos made field by field, so that a client can say where each field lies and change any of them.

Real enough for every parser: TLS 1.3 with X25519, as browsers sent it in 2021. No handshake follows: what a box does is
decided by then. Not for: fetching anything; `fetch` speaks TLS in earnest.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Field", "client_hello", "extension", "handshake_message", "hello_fields", "reproducible"]

BROWSER_BYTES = 517  # browsers of 2021 pad to 512 bytes and the record header (RFC 7685)

_HANDSHAKE, _CLIENT_HELLO = b"\x16", b"\x01"
_CIPHERS = bytes.fromhex("130113021303c02bc02fc02cc030cca9cca8")
_PADDING = 21  # RFC 7685
_ENCRYPTED_CLIENT_HELLO = 0xFE0D  # draft-ietf-tls-esni
_TRANSPORT_PARAMETERS = 57  # RFC 9001, section 8.2
_RECORD_HEADER, _EXTENSION_HEADER = 5, 4


def reproducible(seed: int) -> Random:
    """Return a generator for bytes that only have to look random, the same for the same seed. Not for secrets."""
    return Random(seed)  # noqa: S311 - by design: see above


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a hello: its bytes are [start, end) of the record."""

    name: str
    start: int
    end: int


def client_hello(
    name: str | None, *, size: int | None = BROWSER_BYTES, seed: int = 1, hides_name: bool = False
) -> bytes:
    """Return a ClientHello in one TLS record.

    Args:
        name: Goes into server_name; None: without it.
        size: Of the record, bytes, reached with the padding extension (RFC 7685); None, or too small: no padding.
        seed: Of random, session ID and key share.
        hides_name: Add an encrypted_client_hello, which would hold the true name; ``name`` is then the outer one.
    """
    return b"".join(data for _, data in _record(name, size, seed, hides_name=hides_name))


def handshake_message(name: str | None, *, transport_parameters: bytes, seed: int = 1) -> bytes:
    """Return a ClientHello without record header, with QUIC transport parameters (RFC 9001, section 8.2)."""
    own = extension(_TRANSPORT_PARAMETERS, transport_parameters)
    return b"".join(data for _, data in _message(name, reproducible(seed), [("QUIC transport parameters", own)]))


def hello_fields(name: str | None, *, size: int | None = BROWSER_BYTES, seed: int = 1) -> list[Field]:
    """Return where each field of `client_hello` lies, in order and without gaps."""
    fields, at = [], 0
    for field, data in _record(name, size, seed, hides_name=False):
        if data:
            fields.append(Field(field, at, at + len(data)))
        at += len(data)
    return fields


_Parts = list[tuple[str, bytes]]


def _record(name: str | None, size: int | None, seed: int, *, hides_name: bool) -> _Parts:
    random = reproducible(seed)
    more = []
    if hides_name:
        more.append(("encrypted client hello", extension(_ENCRYPTED_CLIENT_HELLO, b"\x00" + random.randbytes(190))))
    state = random.getstate()
    message = _message(name, random, more)
    missing = (size or 0) - _RECORD_HEADER - _length(message) - _EXTENSION_HEADER
    if missing >= 0:
        random.setstate(state)  # the padded hello differs from the plain one by its padding alone
        message = _message(name, random, [*more, ("padding", extension(_PADDING, bytes(missing)))])
    head = [
        ("TLS content type", _HANDSHAKE),
        ("record version", b"\x03\x01"),
        ("record length", _length(message).to_bytes(2, "big")),
    ]
    return head + message


def _message(name: str | None, random: Random, more: Iterable[tuple[str, bytes]]) -> _Parts:
    session_id, client_random, key = random.randbytes(32), random.randbytes(32), random.randbytes(32)
    extensions = [*_server_name(name), ("other extensions", _ordinary_extensions(key)), *more]
    body = [
        ("client version", b"\x03\x03"),
        ("random", client_random),
        ("session ID length", bytes([len(session_id)])),
        ("session ID", session_id),
        ("cipher suites length", len(_CIPHERS).to_bytes(2, "big")),
        ("cipher suites", _CIPHERS),
        ("compression methods length", b"\x01"),
        ("compression methods", b"\x00"),
        ("extensions length", _length(extensions).to_bytes(2, "big")),
        *extensions,
    ]
    return [("handshake type", _CLIENT_HELLO), ("handshake length", _length(body).to_bytes(3, "big")), *body]


def _server_name(name: str | None) -> _Parts:
    if name is None:
        return []
    host = name.encode("latin-1")
    return [
        ("server_name extension type", b"\x00\x00"),
        ("server_name extension length", (len(host) + 5).to_bytes(2, "big")),
        ("name list length", (len(host) + 3).to_bytes(2, "big")),
        ("name type", b"\x00"),
        ("name length", len(host).to_bytes(2, "big")),
        ("name", host),
    ]


def _ordinary_extensions(key: bytes) -> bytes:
    return b"".join(
        (
            extension(11, b"\x01\x00"),  # ec_point_formats
            extension(10, bytes.fromhex("0006001d00170018")),  # supported_groups
            extension(16, bytes.fromhex("000c02683208") + b"http/1.1"),  # application_layer_protocol_negotiation
            extension(13, bytes.fromhex("000e0403080404010503080505010806")),  # signature_algorithms
            extension(43, bytes.fromhex("0403040303")),  # supported_versions
            extension(45, bytes.fromhex("0101")),  # psk_key_exchange_modes
            extension(51, bytes.fromhex("0024001d0020") + key),  # key_share, X25519
        )
    )


def extension(kind: int, body: bytes) -> bytes:
    """Return an extension with its type and length."""
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


def _length(parts: _Parts) -> int:
    return sum(len(data) for _, data in parts)
