"""Origins: nginx on port 443, with certificates of a CA that is made at run time."""

from __future__ import annotations

import subprocess
from string import Template
from typing import TYPE_CHECKING

from testbed.errors import GuestError
from testbed.traffic.hello import reproducible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed.records.plan import OriginPlan

__all__ = ["CertificateAuthority", "nginx_configuration", "objects_on_disk", "write_object"]

# An origin's key is RSA, as most servers' were in 2021: its signatures have one length, where those of elliptic
# curves vary by a byte or two, and with them the packets of every handshake.
_AUTHORITY_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAYS = "3650"
_HOST = "http://authority.testbed.example"
# Extensions of a certificate of a public authority. They make the chain as long as those of popular sites were, 3 to
# 4 kB: it takes three segments, and a box that lets only a few packets pass stops it.
_SIGNED = (
    f"authorityInfoAccess=OCSP;URI:{_HOST}/ocsp,caIssuers;URI:{_HOST}/issuer-certificate.crt",
    f"crlDistributionPoints=URI:{_HOST}/revoked-sha256-2020.crl,URI:{_HOST}/mirror-of-revoked-sha256-2020.crl",
    "certificatePolicies=2.23.140.1.2.2,1.3.6.1.4.1.44947.1.1.1",
)
_COMMENT = (
    "This certificate was made for one run of an emulated network and is worth nothing outside of it: whoever has "
    "the testbed has the key. With the certificate of its authority it is as long as those of popular sites were "
    "in 2021 and 2022, three to four thousand bytes, because that length decides what becomes of a connection of "
    "which a box lets the first packets pass and then only few more: such certificates took three segments, and "
    "no handshake was complete before the last of them had come. Nothing in this comment matters to any program "
    "that reads it; certificates of public authorities fill the same room with policies, with timestamps of more "
    "logs, with the names of many servers, and with the keys and signatures of authorities between."
)
_TIMESTAMPS = "1.3.6.1.4.1.11129.2.4.2"  # the list of signed certificate timestamps (RFC 6962, section 3.3)
# As many as browsers ask of a certificate that is valid for more than half a year. They prove nothing.
_TIMESTAMPS_OF = 3  # logs
_OWNER = "/C=ZZ/ST=Documentation and examples/L=Not a place on any map/O=Throttling testbed, made for emulation only"
_LARGE_OBJECT_BYTES = 32_000_000
_MOST_BYTES_IN_MEMORY = 128_000_000  # what fits beside everything else into a guest of the ordinary size
_PIECE_BYTES = 1 << 20  # of whole words of the generator: the bytes are those of one piece
_NGINX = Template("""\
daemon off;
master_process off;
pid $folder/nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  server {
    listen 80;
    listen 443 ssl$protocols;$more
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate $folder/certificate.pem;
    ssl_certificate_key $folder/key.pem;
    root $folder/www;
    location = / { default_type text/plain; return 200 "an origin of the throttling testbed\\n"; }
  }
}
""")
_ON_IPV6 = """
    listen [::]:80;
    listen [::]:443 ssl$protocols;"""


class CertificateAuthority:
    """A certificate authority in a folder. Inside the guest its key comes from the seeded generator.

    Predictable, then, and worth nothing outside.

    Args:
        folder: Of the authority; made if it is not there.
        origin_key: The private key of all origins, PEM.

    Raises:
        GuestError: Openssl failed.
    """

    def __init__(self, folder: Path, origin_key: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.pem"
        self._key = folder / "ca.key"
        self._origin_key = origin_key
        _openssl(
            *_AUTHORITY_KEY, "-keyout", str(self._key), "-out", str(self.certificate),
            "-subj", f"{_OWNER}/CN=Throttling testbed root",
            *_extensions("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"),
        )  # fmt: skip

    def issue(self, names: list[str], address: str | None, folder: Path, *, address6: str | None = None) -> None:
        """Write ``certificate.pem``, the whole chain, and ``key.pem`` for an origin into a folder.

        Args:
            names: DNS names that it serves.
            address: Of the origin, which it serves as well; None: it does not.
            address6: Its IPv6 address, likewise.
            folder: Of the origin.
        """
        # By address too: a program that is given no name still connects to an origin whose certificate fits.
        alternative = [f"DNS:{name}" for name in names] + [f"IP:{each}" for each in (address, address6) if each]
        _openssl(
            "-CA", str(self.certificate), "-CAkey", str(self._key), "-key", str(self._origin_key),
            "-out", str(folder / "leaf.pem"), "-subj", f"{_OWNER}/CN=origin",
            *_extensions(
                f"subjectAltName={','.join(alternative)}", "basicConstraints=critical,CA:FALSE",
                "keyUsage=critical,digitalSignature,keyEncipherment", "extendedKeyUsage=serverAuth,clientAuth",
                *_SIGNED, f"{_TIMESTAMPS}=DER:{_timestamps().hex()}", f"nsComment={_COMMENT}",
            ),
        )  # fmt: skip
        (folder / "certificate.pem").write_bytes((folder / "leaf.pem").read_bytes() + self.certificate.read_bytes())
        (folder / "key.pem").write_bytes(self._origin_key.read_bytes())


def _timestamps() -> bytes:
    """Return a DER octet string with a list of timestamps: version, log, time, no extensions, ECDSA with SHA-256."""
    signature = bytes(72)
    one = b"\0" + bytes(32) + bytes(8) + b"\0\0" + b"\x04\x03" + len(signature).to_bytes(2, "big") + signature
    entries = (len(one).to_bytes(2, "big") + one) * _TIMESTAMPS_OF
    stamps = len(entries).to_bytes(2, "big") + entries
    return b"\x04\x82" + len(stamps).to_bytes(2, "big") + stamps


def _extensions(*extensions: str) -> list[str]:
    return [word for extension in extensions for word in ("-addext", extension)]


def _openssl(*arguments: str) -> None:
    argv = ["openssl", "req", "-x509", "-days", _DAYS, *arguments]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode:
        raise GuestError(f"openssl req failed: {result.stderr.strip()}")


def objects_on_disk(origins: Mapping[str, OriginPlan]) -> dict[str, int]:
    """Return the objects (path to size) that lie in files of the host's, one for all origins, and in no guest's memory.

    These are the large ones; or all, where the others together are more than memory has room for.
    """
    objects = {path: size for origin in origins.values() for path, size in origin["objects"].items()}
    large = {path: size for path, size in objects.items() if size >= _LARGE_OBJECT_BYTES}
    in_memory = (sum(objects.values()) - sum(large.values())) * len(origins)
    return objects if in_memory > _MOST_BYTES_IN_MEMORY else large


def write_object(path: Path, size_bytes: int, seed: int) -> None:
    """An object of incompressible bytes, the same for the same seed; in pieces, for the guest's memory is small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = reproducible(seed)
    with path.open("wb") as file:
        for begin in range(0, size_bytes, _PIECE_BYTES):
            file.write(generator.randbytes(min(_PIECE_BYTES, size_bytes - begin)))


def nginx_configuration(folder: Path, *, has_ipv6: bool = False, has_http2: bool = False) -> Path:
    """Write the configuration of an nginx that lives in a folder; return its path.

    Args:
        folder: With its certificate, its key, and its objects below ``www``.
        has_ipv6: Whether it listens on IPv6 as well.
        has_http2: Whether it offers HTTP/2 to who asks for it by ALPN.
    """
    path = folder / "nginx.conf"
    # Of the socket, not "http2 on": nginx knows that from 1.25.1 only, and Debian 12 has 1.22.
    protocols = " http2" if has_http2 else ""
    more = Template(_ON_IPV6).substitute(protocols=protocols) if has_ipv6 else ""
    path.write_text(_NGINX.substitute(folder=folder, protocols=protocols, more=more))
    return path
