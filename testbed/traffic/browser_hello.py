"""ClientHellos as two browsers send them today: with a post-quantum key share they take two packets.

Sizes, extensions and their order are those that Debian 12's firefox-esr 153.7 and chromium 156.0 sent to a local port
on the first connection of a new profile. Chromium draws GREASE values (RFC 8701), the order of its extensions and one
of four lengths of its encrypted hello anew for each connection; Firefox always sends the same but for its keys.
Keys and secrets are random bytes of the true length: no handshake follows. Not for: `fetch`, whose TLS is OpenSSL's,
which orders extensions as it will.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.traffic.hello import client_hello, extension, reproducible

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

__all__ = ["HELLOS", "browser_hello"]

_FIREFOX_CIPHERS = "130113031302c02bc02fcca9cca8c02cc030c00ac013c014009c009d002f0035"
_CHROME_CIPHERS = "130113021303c02bc02fc02cc030cca9cca8c013c014009c009d002f0035"
_X25519MLKEM768, _X25519, _SECP256R1 = 0x11EC, 0x001D, 0x0017
_SHARE_BYTES = {_X25519MLKEM768: 1216, _X25519: 32, _SECP256R1: 65}  # draft-ietf-tls-ecdhe-mlkem; RFC 8446
_ECH_HEADER = bytes.fromhex("0000010001")  # outer, HKDF-SHA256, AES-128-GCM (draft-ietf-tls-esni)
_FIREFOX_ECH_BYTES = 239
_CHROME_ECH_BYTES = (144, 176, 208, 240)
_TRUST_ANCHORS_BYTES = 186

_Extensions = list[tuple[int, bytes]]


def browser_hello(name: str, browser: str, *, seed: int = 1) -> bytes:
    """Return a ClientHello in one TLS record.

    Args:
        name: Goes into server_name.
        browser: One of `HELLOS`.
        seed: Of all that is drawn.
    """
    return HELLOS[browser](name, seed)


def _firefox(name: str, seed: int) -> bytes:
    random = reproducible(seed)
    return _record(random, bytes.fromhex(_FIREFOX_CIPHERS), _firefox_extensions(name, random))


def _firefox_extensions(name: str, random: Random) -> _Extensions:
    return [
        (0, _server_name(name)),
        (23, b""),  # extended_master_secret
        (65281, b"\x00"),  # renegotiation_info
        (10, bytes.fromhex("000e11ec001d00170018001901000101")),  # supported_groups
        (11, b"\x01\x00"),  # ec_point_formats
        (35, b""),  # session_ticket
        (16, _alpn()),
        (5, bytes.fromhex("0100000000")),  # status_request
        (34, bytes.fromhex("00080403050306030203")),  # delegated_credentials
        (18, b""),  # signed_certificate_timestamp
        (51, _key_share(random, [_X25519MLKEM768, _X25519, _SECP256R1])),
        (43, bytes.fromhex("0403040303")),  # supported_versions
        (13, bytes.fromhex("001604030503060308040805080604010501060102030201")),  # signature_algorithms
        (45, b"\x01\x01"),  # psk_key_exchange_modes
        (28, bytes.fromhex("4001")),  # record_size_limit
        (27, bytes.fromhex("06000100020003")),  # compress_certificate
        (65037, _encrypted_hello(random, _FIREFOX_ECH_BYTES)),
    ]


def _chrome(name: str, seed: int) -> bytes:
    random = reproducible(seed)
    suites, first, last, group, version, algorithm = (_grease(random) for _ in range(6))
    if last == first:  # no extension comes twice
        last = bytes([first[0] ^ 0x10, first[1] ^ 0x10])
    extensions = _chrome_extensions(name, random, group=group, version=version, algorithm=algorithm)
    random.shuffle(extensions)
    greased = [(int.from_bytes(first), b""), *extensions, (int.from_bytes(last), b"\x00")]
    return _record(random, suites + bytes.fromhex(_CHROME_CIPHERS), greased)


def _chrome_extensions(name: str, random: Random, *, group: bytes, version: bytes, algorithm: bytes) -> _Extensions:
    return [
        (0, _server_name(name)),
        (51, _key_share(random, [_X25519MLKEM768, _X25519], grease=group)),
        (18, b""),  # signed_certificate_timestamp
        (35, b""),  # session_ticket
        (5, bytes.fromhex("0100000000")),  # status_request
        (27, bytes.fromhex("020002")),  # compress_certificate
        (16, _alpn()),
        (65037, _encrypted_hello(random, random.choice(_CHROME_ECH_BYTES))),
        # signature_algorithms, supported_groups, supported_versions: each with a value of GREASE in front
        (13, b"\x00\x18" + algorithm + bytes.fromhex("09040905090604030804040105030805050108060601")),
        (10, b"\x00\x0c" + group + bytes.fromhex("11ec001d00170018")),
        (43, b"\x06" + version + bytes.fromhex("03040303")),
        (51764, random.randbytes(_TRUST_ANCHORS_BYTES)),  # trust_anchors (draft-ietf-tls-trust-anchor-ids)
        (23, b""),  # extended_master_secret
        (45, b"\x01\x01"),  # psk_key_exchange_modes
        (65281, b"\x00"),  # renegotiation_info
        (11, b"\x01\x00"),  # ec_point_formats
        (17613, bytes.fromhex("0003026832")),  # application_settings
    ]


def _grease(random: Random) -> bytes:
    """Return one of the sixteen values that mean nothing (RFC 8701)."""
    half = random.randrange(16) << 4 | 0x0A
    return bytes([half, half])


def _server_name(name: str) -> bytes:
    host = name.encode("latin-1")
    return (len(host) + 3).to_bytes(2, "big") + b"\x00" + len(host).to_bytes(2, "big") + host


def _alpn() -> bytes:
    return b"\x00\x0c\x02h2\x08http/1.1"


def _key_share(random: Random, groups: list[int], *, grease: bytes | None = None) -> bytes:
    shares = b"" if grease is None else grease + b"\x00\x01\x00"
    for group in groups:
        size = _SHARE_BYTES[group]
        shares += group.to_bytes(2, "big") + size.to_bytes(2, "big") + random.randbytes(size)
    return len(shares).to_bytes(2, "big") + shares


def _encrypted_hello(random: Random, size: int) -> bytes:
    """Return an encrypted hello that has nothing in it, as browsers send it to servers that offer none."""
    head = _ECH_HEADER + random.randbytes(1)
    return head + b"\x00\x20" + random.randbytes(32) + size.to_bytes(2, "big") + random.randbytes(size)


def _record(random: Random, suites: bytes, extensions: _Extensions) -> bytes:
    coded = b"".join(extension(kind, body) for kind, body in extensions)
    body = b"\x03\x03" + random.randbytes(32) + b"\x20" + random.randbytes(32)
    body += len(suites).to_bytes(2, "big") + suites + b"\x01\x00" + len(coded).to_bytes(2, "big") + coded
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


HELLOS: dict[str, Callable[[str, int], bytes]] = {
    "2021": lambda name, seed: client_hello(name, seed=seed),
    "firefox": _firefox,
    "chrome": _chrome,
}
"""Hellos by the name that options have for them; ``2021`` is a browser's of that year, padded to 517 bytes."""
