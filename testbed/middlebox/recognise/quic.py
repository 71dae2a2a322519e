"""The server name in QUIC Initial packets, versions 1 and 2 (RFC 9000, 9001, 9369).

Initial packets are encrypted with keys that follow from the first Destination Connection ID, so anyone on the path can
read them. A hello may lie in several CRYPTO frames, in any order, over several datagrams: a reader keeps what it has of
one flow. AES comes from the package `cryptography`, imported only when a profile wants QUIC.
"""

from __future__ import annotations

import hmac
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from testbed.middlebox.recognise import tls
from testbed.middlebox.recognise.result import Hello, Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "VERSIONS", "InitialKeys", "QuicReader", "client_keys", "initial_version", "load_ciphers", "recognise_version1",
]  # fmt: skip

# X22 (not re-read): version 1 long headers whose UDP payload is at least this long.
_BLOCKED_BYTES = 1001

_LONG_HEADER = 0x80
_FIXED_BIT = 0x40
_LONG_AND_FIXED = _LONG_HEADER | _FIXED_BIT
_VERSION_END = 5  # the first byte, and the version behind it (RFC 9000, section 17.2)
_MESSAGE_HEADER = 4  # of a TLS handshake message: type and length
_LONGEST_CONNECTION_ID = 20
_SAMPLE = 16
_TAG = 16
# A hello longer than this is no browser's; it must not fill the memory of the box.
_LONGEST_CRYPTO = 1 << 16

_PADDING, _PING, _ACK, _ACK_ECN, _CRYPTO = 0x00, 0x01, 0x02, 0x03, 0x06


class _Version(NamedTuple):
    """What differs between versions."""

    initial_type: int
    salt: bytes
    label: str


_VERSIONS = {
    0x00000001: _Version(0, bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), "quic"),
    0x6B3343CF: _Version(1, bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), "quicv2"),
}


VERSIONS = frozenset(_VERSIONS)
"""Versions whose Initial packets can be read here."""


class InitialKeys(NamedTuple):
    """Keys of a client's Initial packets."""

    key: bytes
    iv: bytes
    header_protection: bytes


class _Initial(NamedTuple):
    """One Initial packet, still protected."""

    version: _Version
    connection_id: bytes
    packet: bytes  # from its first byte to the end that its length claims
    number_at: int  # where the protected packet number begins


def recognise_version1(payload: bytes) -> Result:
    """``VALID`` for what the boxes of 2022 dropped as QUIC: a long header of version 1 in 1001 bytes or more."""
    is_long = len(payload) >= _BLOCKED_BYTES and payload[0] & _LONG_HEADER
    return Outcome.VALID if is_long and payload[1:5] == b"\0\0\0\1" else Outcome.NOT_THIS


def initial_version(payload: bytes) -> int | None:
    """Return the version of what begins like an Initial packet of some version; None for anything else."""
    if len(payload) < _VERSION_END or payload[0] & _LONG_AND_FIXED != _LONG_AND_FIXED:
        return None
    version = int.from_bytes(payload[1:5], "big")
    known = _VERSIONS.get(version)
    is_initial = bool(version) if known is None else payload[0] >> 4 & 3 == known.initial_type
    return version if is_initial else None


def client_keys(version: int, connection_id: bytes) -> InitialKeys:
    """Return the client's Initial keys (RFC 9001 section 5.2), by version and first Destination Connection ID."""
    return _keys(_VERSIONS[version], connection_id)


class QuicReader:
    """Reads the client's datagrams of one flow until the hello is whole."""

    __slots__ = ("_connection_id", "_crypto", "_size")

    def __init__(self) -> None:
        """Nothing read yet."""
        self._connection_id: bytes | None = None
        self._crypto: dict[int, bytes] = {}
        self._size = 0

    def read(self, payload: bytes) -> Result:
        """Read one datagram of the client.

        Returns:
            `Hello` once the whole hello is there; ``NEED_MORE`` before; ``VALID`` for a message that is no hello;
            ``NOT_THIS`` for what is no Initial packet, or not one of this flow.
        """
        is_initial = False
        for initial in _initials(payload):
            plain = self._decrypt(initial)
            if plain is not None:
                is_initial = True
                self._keep(plain)
        return self._result() if is_initial else Outcome.NOT_THIS

    def _decrypt(self, initial: _Initial) -> bytes | None:
        """Keys follow from the first connection ID of the flow, or after a Retry from the new one."""
        for connection_id in dict.fromkeys((self._connection_id, initial.connection_id)):
            if connection_id is not None:
                plain = _decrypt(initial, _keys(initial.version, connection_id))
                if plain is not None:
                    self._connection_id = connection_id
                    return plain
        return None

    def _keep(self, plain: bytes) -> None:
        for offset, data in _crypto_frames(plain):
            if self._size + len(data) <= _LONGEST_CRYPTO and len(data) > len(self._crypto.get(offset, b"")):
                self._size += len(data) - len(self._crypto.get(offset, b""))
                self._crypto[offset] = data

    def _result(self) -> Result:
        message = b""
        for offset, data in sorted(self._crypto.items()):
            if offset > len(message):
                break
            message += data[len(message) - offset :]
        is_whole = len(message) >= _MESSAGE_HEADER + int.from_bytes(message[1:_MESSAGE_HEADER], "big")
        if len(message) < _MESSAGE_HEADER or not is_whole:
            return Outcome.NEED_MORE
        result = tls.recognise_message(message)
        return result._replace(protocol="quic") if isinstance(result, Hello) else result


def _initials(payload: bytes) -> Iterator[_Initial]:
    """Yield the Initial packets of a datagram, in which several may follow each other."""
    try:
        while payload and payload[0] & _LONG_HEADER and payload[0] & _FIXED_BIT:
            version = _VERSIONS.get(int.from_bytes(payload[1:5], "big"))
            if version is None or payload[5] > _LONGEST_CONNECTION_ID:
                return
            at = 6 + payload[5]
            connection_id = payload[6:at]
            at += 1 + payload[at]
            is_initial = payload[0] >> 4 & 3 == version.initial_type
            if is_initial:
                token_length, at = _number(payload, at)
                at += token_length
            length, at = _number(payload, at)
            if is_initial and at + length <= len(payload):
                yield _Initial(version, connection_id, payload[: at + length], at)
            payload = payload[at + length :]
    except IndexError:
        return


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length integer and where it ends (RFC 9000 section 16)."""
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + size], "big") & (1 << (size * 8 - 2)) - 1, at + size


def _crypto_frames(plain: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of the CRYPTO frames; stops at a frame that no Initial of a client may hold."""
    at = 0
    try:
        while at < len(plain):
            kind = plain[at]
            at += 1
            if kind in {_PADDING, _PING}:
                continue
            if kind in {_ACK, _ACK_ECN}:
                at = _skip_ack(plain, at, counts=3 if kind == _ACK_ECN else 0)
            elif kind == _CRYPTO:
                offset, at = _number(plain, at)
                size, at = _number(plain, at)
                if at + size > len(plain) or offset + size > _LONGEST_CRYPTO:
                    return
                yield offset, plain[at : at + size]
                at += size
            else:
                return
    except IndexError:
        return


def _skip_ack(plain: bytes, at: int, *, counts: int) -> int:
    _, at = _number(plain, at)
    _, at = _number(plain, at)
    ranges, at = _number(plain, at)
    for _ in range(1 + 2 * ranges + counts):
        _, at = _number(plain, at)
    return at


def load_ciphers() -> None:
    """Do what the first Initial packet would otherwise have to wait for: most of a second where time is real."""
    encrypt_block, decrypt = _ciphers()
    encrypt_block(bytes(16), bytes(_SAMPLE))
    decrypt(bytes(16), bytes(12), bytes(_TAG), b"")


@cache
def _ciphers() -> tuple[Callable[[bytes, bytes], bytes], Callable[[bytes, bytes, bytes, bytes], bytes | None]]:
    """AES of one block, and AES-GCM. OpenSSL takes most of a second to load, and few profiles want QUIC."""
    from testbed.middlebox.recognise import quic_cipher  # noqa: PLC0415 - see above

    return quic_cipher.encrypt_block, quic_cipher.decrypt


def _decrypt(initial: _Initial, keys: InitialKeys) -> bytes | None:
    """Remove header protection and decrypt; None if it was not protected with these keys."""
    packet, at = initial.packet, initial.number_at
    sample = packet[at + 4 : at + 4 + _SAMPLE]
    if len(sample) < _SAMPLE:
        return None
    encrypt_block, decrypt = _ciphers()
    mask = encrypt_block(keys.header_protection, sample)
    first = packet[0] ^ mask[0] & 0x0F
    size = (first & 3) + 1
    number = bytes(byte ^ bits for byte, bits in zip(packet[at : at + size], mask[1 : 1 + size], strict=True))
    nonce = (int.from_bytes(keys.iv, "big") ^ int.from_bytes(number, "big")).to_bytes(12, "big")
    header = bytes([first]) + packet[1:at] + number
    if len(packet) - at - size < _TAG:
        return None
    return decrypt(keys.key, nonce, packet[at + size :], header)


def _keys(version: _Version, connection_id: bytes) -> InitialKeys:
    secret = hmac.digest(version.salt, connection_id, "sha256")
    client = _expand(secret, "client in", 32)
    return InitialKeys(
        _expand(client, f"{version.label} key", 16),
        _expand(client, f"{version.label} iv", 12),
        _expand(client, f"{version.label} hp", 16),
    )


def _expand(secret: bytes, label: str, size: int) -> bytes:
    """HKDF-Expand-Label of TLS 1.3 (RFC 8446 section 7.1) for at most one block."""
    name = b"tls13 " + label.encode()
    info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0" + b"\1"
    return hmac.new(secret, info, sha256).digest()[:size]
