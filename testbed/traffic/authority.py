"""The certificate authority of a run, and the certificates of its origins: from the seed alone, without any program.

Predictable, then, and worth nothing outside the emulation. Source of the form: RFC 5280.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from testbed.errors import GuestError
from testbed.traffic import p256
from testbed.traffic.der import (
    IA5_STRING,
    OCTET_STRING,
    PRINTABLE_STRING,
    SET,
    UTF8_STRING,
    bits,
    context,
    element,
    identifier,
    integer,
    integers_of,
    sequence,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["CertificateAuthority", "root_subject_hash"]

_BEFORE, _VALID = timedelta(days=1), timedelta(days=3650)
_OWNER = (
    ("2.5.4.6", PRINTABLE_STRING, "ZZ"),
    ("2.5.4.8", UTF8_STRING, "Documentation and examples"),
    ("2.5.4.7", UTF8_STRING, "Not a place on any map"),
    ("2.5.4.10", UTF8_STRING, "Throttling testbed, made for emulation only"),
)
_COMMON_NAME = "2.5.4.3"
_ROOT, _ORIGIN = "Throttling testbed root", "origin"
_SIGNED_WITH = sequence(identifier("1.2.840.10045.4.3.2"))  # ECDSA with SHA-256
_ON_P256 = sequence(identifier("1.2.840.10045.2.1"), identifier("1.2.840.10045.3.1.7"))
# An origin's key is RSA, as most servers' were in 2021: its signatures have one length, where those of elliptic
# curves vary by a byte or two, and with them the packets of every handshake.
_RSA = sequence(identifier("1.2.840.113549.1.1.1"), b"\x05\x00")
_HOST = "http://authority.testbed.example"
_COMMENT = (
    "This certificate was made for one run of an emulated network and is worth nothing outside of it: whoever has "
    "the testbed has the key. With the certificate of its authority it is as long as those of popular sites were "
    "in 2021 and 2022, three to four thousand bytes, because that length decides what becomes of a connection of "
    "which a box lets the first packets pass and then only few more: such certificates took three segments, and "
    "no handshake was complete before the last of them had come. Nothing in this comment matters to any program "
    "that reads it; certificates of public authorities fill the same room with policies, with timestamps of more "
    "logs, with the names of many servers, and with the keys and signatures of authorities between."
)
_TIMESTAMPS_OF = 3  # logs, as many as browsers ask of a certificate that is valid for more than half a year
_YES = b"\x01\x01\xff"
_URI, _DNS, _ADDRESS = 6, 2, 7  # names of several kinds (RFC 5280, section 4.2.1.6)
_NAME = re.compile(r"[A-Za-z0-9*_-]+(\.[A-Za-z0-9*_-]+)*")
_FIRST_GENERALIZED = 2050  # the year from which on dates have four digits for it
_SERIAL_BYTES = 20
_LINE = 64


class CertificateAuthority:
    """A certificate authority; `certificate` is the path of its own one, PEM.

    Args:
        folder: Of the authority; made if it is not there.
        origin_key: The private key of all origins, a file in PEM.
        seed: From which its key and all serial numbers are.
        start_ns: When the run begins, nanoseconds since 1970; certificates are valid from a day earlier on.
    """

    def __init__(self, folder: Path, origin_key: Path, *, seed: int, start_ns: int) -> None:
        self._seed = seed
        self._begin = datetime.fromtimestamp(start_ns // 1_000_000_000, UTC) - _BEFORE
        self._origin_key = origin_key.read_text()
        self._key = self._number("key") % (p256.ORDER - 1) + 1
        self._point = p256.public_point(self._key)
        key = sequence(_ON_P256, bits(self._point))
        extensions = [
            _extension("2.5.29.19", sequence(_YES), critical=True),  # an authority
            _extension("2.5.29.15", bits(b"\x06", unused=1), critical=True),  # signs certificates and lists
        ]
        self._pem = _pem("CERTIFICATE", self._signed(_ROOT, key, self._point, extensions))
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.pem"
        self.certificate.write_text(self._pem)

    def issue(self, names: list[str], address: str | None, folder: Path, *, address6: str | None = None) -> None:
        """Write ``certificate.pem``, the whole chain, and ``key.pem`` for an origin into a folder.

        Args:
            names: DNS names that it serves.
            address: Of the origin, which it serves as well; None: it does not.
            address6: Its IPv6 address, likewise.
            folder: Of the origin.

        Raises:
            GuestError: A name cannot stand in a certificate.
        """
        modulus, exponent = integers_of(base64.b64decode("".join(self._origin_key.splitlines()[1:-1])))[1:3]
        public = sequence(integer(modulus), integer(exponent))
        extensions = [
            # By address too: a program that is given no name still connects to an origin whose certificate fits.
            _extension("2.5.29.17", _alternatives(names, [each for each in (address, address6) if each])),
            *_of_an_origin(),
        ]
        issued = self._signed(_ORIGIN, sequence(_RSA, bits(public)), public, extensions)
        (folder / "certificate.pem").write_text(_pem("CERTIFICATE", issued) + self._pem)
        (folder / "key.pem").write_text(self._origin_key)

    def _signed(self, name: str, key: bytes, public: bytes, extensions: list[bytes]) -> bytes:
        identified = [
            _extension("2.5.29.14", element(OCTET_STRING, _key_identifier(public))),
            _extension("2.5.29.35", sequence(context(0, _key_identifier(self._point)))),
        ]
        about = b"".join((*identified, *extensions))
        serial = self._number(f"serial {name} {about.hex()}") >> (256 - 8 * _SERIAL_BYTES + 1)
        body = sequence(
            context(0, integer(2), constructed=True),  # version 3
            integer(serial),
            _SIGNED_WITH,
            _distinguished(_ROOT),
            sequence(_date(self._begin), _date(self._begin + _VALID)),
            _distinguished(name),
            key,
            context(3, sequence(about), constructed=True),
        )
        return sequence(body, _SIGNED_WITH, bits(sequence(*map(integer, p256.sign(self._key, body)))))

    def _number(self, what: str) -> int:
        """Return a number of 256 bits from the seed."""
        digest = hashlib.sha256(f"the throttling testbed's authority, seed {self._seed}: {what}".encode())
        return int.from_bytes(digest.digest(), "big")


def root_subject_hash() -> str:
    """Return the name by which OpenSSL looks for the authority in a folder of authorities (openssl-rehash(1)).

    It is made of the name as OpenSSL compares names: UTF-8, in lower case, with single spaces
    (X509_NAME_hash_ex, crypto/x509/x_name.c and x509_cmp.c).
    """
    parts = (*_OWNER, (_COMMON_NAME, UTF8_STRING, _ROOT))
    canonical = [
        element(SET, sequence(identifier(part), element(UTF8_STRING, " ".join(text.lower().split()).encode())))
        for part, _, text in parts
    ]
    digest = hashlib.sha1(b"".join(canonical), usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _of_an_origin() -> list[bytes]:
    """Extensions of a certificate of a public authority.

    They make the chain as long as those of popular sites were, 3 to 4 kB: it takes three segments, and a box that lets
    only a few packets pass stops it.
    """
    purposes = sequence(identifier("1.3.6.1.5.5.7.3.1"), identifier("1.3.6.1.5.5.7.3.2"))
    access = sequence(
        sequence(identifier("1.3.6.1.5.5.7.48.1"), _uri("ocsp")),
        sequence(identifier("1.3.6.1.5.5.7.48.2"), _uri("issuer-certificate.crt")),
    )
    lists = [
        sequence(context(0, context(0, _uri(path), constructed=True), constructed=True))
        for path in ("revoked-sha256-2020.crl", "mirror-of-revoked-sha256-2020.crl")
    ]
    policies = [sequence(identifier(each)) for each in ("2.23.140.1.2.2", "1.3.6.1.4.1.44947.1.1.1")]
    return [
        _extension("2.5.29.19", sequence(), critical=True),  # no authority
        _extension("2.5.29.15", bits(b"\xa0", unused=5), critical=True),  # signs and enciphers keys
        _extension("2.5.29.37", purposes),
        _extension("1.3.6.1.5.5.7.1.1", access),
        _extension("2.5.29.31", sequence(*lists)),
        _extension("2.5.29.32", sequence(*policies)),
        _extension("1.3.6.1.4.1.11129.2.4.2", element(OCTET_STRING, _timestamps())),
        _extension("2.16.840.1.113730.1.13", element(IA5_STRING, _COMMENT.encode("ascii"))),
    ]


def _timestamps() -> bytes:
    """Return a list of timestamps (RFC 6962, section 3.3): version, log, time, no extensions, ECDSA with SHA-256.

    They prove nothing.
    """
    signature = bytes(72)
    one = b"\0" + bytes(32) + bytes(8) + b"\0\0" + b"\x04\x03" + len(signature).to_bytes(2, "big") + signature
    entries = (len(one).to_bytes(2, "big") + one) * _TIMESTAMPS_OF
    return len(entries).to_bytes(2, "big") + entries


def _alternatives(names: Iterable[str], addresses: Iterable[str]) -> bytes:
    found = []
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise GuestError(f"a certificate cannot name {name!r}; give the origin a name of letters, digits and dots")
        found.append(context(_DNS, name.encode("ascii")))
    return sequence(*found, *(context(_ADDRESS, ip_address(each).packed) for each in addresses))


def _uri(path: str) -> bytes:
    return context(_URI, f"{_HOST}/{path}".encode())


def _extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    return sequence(identifier(kind), _YES if critical else b"", element(OCTET_STRING, value))


def _key_identifier(public: bytes) -> bytes:
    return hashlib.sha1(public, usedforsecurity=False).digest()  # as RFC 5280, section 4.2.1.2, has it


def _distinguished(name: str) -> bytes:
    parts = (*_OWNER, (_COMMON_NAME, UTF8_STRING, name))
    attributes = [sequence(identifier(part), element(kind, text.encode())) for part, kind, text in parts]
    return sequence(*(element(SET, each) for each in attributes))


def _date(instant: datetime) -> bytes:
    utc_time, generalized_time = 0x17, 0x18
    if instant.year < _FIRST_GENERALIZED:
        return element(utc_time, instant.strftime("%y%m%d%H%M%SZ").encode())
    return element(generalized_time, instant.strftime("%Y%m%d%H%M%SZ").encode())


def _pem(what: str, encoded: bytes) -> str:
    text = base64.b64encode(encoded).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join([f"-----BEGIN {what}-----", *lines, f"-----END {what}-----", ""])
