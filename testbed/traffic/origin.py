"""Origins: nginx on port 443, with certificates of a CA that is made at run time."""

from __future__ import annotations

import random
import subprocess
from string import Template
from typing import TYPE_CHECKING

from testbed.errors import GuestError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CertificateAuthority", "nginx_configuration", "write_object"]

# An origin's key is RSA, as most servers' were in 2021: its signatures have one length, where those of elliptic
# curves vary by
# a byte or two, and with them the packets of every handshake. An authority signs once a run, and RSA keys take long
# to make.
_ORIGIN_KEY = ("-newkey", "rsa:2048", "-nodes")
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
_AUTHORITY = ("keyUsage=critical,keyCertSign,cRLSign",)
_TIMESTAMPS = "1.3.6.1.4.1.11129.2.4.2"  # the list of signed certificate timestamps (RFC 6962, section 3.3)
_TIMESTAMPS_OF = 3  # logs; the timestamps are of the right form and prove nothing
_OWNER = "/C=ZZ/ST=Documentation and examples/L=Not a place on any map/O=Throttling testbed, made for emulation only"
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
    listen 443 ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate $folder/certificate.pem;
    ssl_certificate_key $folder/key.pem;
    root $folder/www;
    location = / { default_type text/plain; return 200 "an origin of the throttling testbed\\n"; }
  }
}
""")


class CertificateAuthority:
    """A root, and an intermediate that signs, in a folder. Their keys come from the guest's seeded generator.

    Predictable, then, and worth nothing outside.

    Raises:
        GuestError: openssl failed.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.pem"
        self._folder = folder
        self._leaf_key = folder / "leaf.key"
        _openssl(
            *_AUTHORITY_KEY, "-keyout", str(folder / "ca.key"), "-out", str(self.certificate),
            "-subj", f"{_OWNER}/CN=Throttling testbed root",
            *_extensions("basicConstraints=critical,CA:TRUE", *_AUTHORITY),
        )  # fmt: skip
        _openssl(
            *self._signed_by("ca"), *_AUTHORITY_KEY,
            "-keyout", str(folder / "intermediate.key"), "-out", str(folder / "intermediate.pem"),
            "-subj", f"{_OWNER}/CN=Throttling testbed intermediate",
            *_extensions("basicConstraints=critical,CA:TRUE,pathlen:0", *_AUTHORITY, *_SIGNED),
        )  # fmt: skip

    def issue(self, names: list[str], folder: Path) -> None:
        """Write ``certificate.pem``, the whole chain, and ``key.pem`` for these DNS names or addresses into a folder.

        All origins share one key: making one costs the guest more than starting a server.
        """
        key = (
            ("-key", str(self._leaf_key)) if self._leaf_key.exists() else (*_ORIGIN_KEY, "-keyout", str(self._leaf_key))
        )
        alternative = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
        _openssl(
            *self._signed_by("intermediate"), *key, "-out", str(folder / "leaf.pem"), "-subj", f"{_OWNER}/CN=origin",
            *_extensions(
                f"subjectAltName={alternative}", "basicConstraints=critical,CA:FALSE",
                "keyUsage=critical,digitalSignature,keyEncipherment", "extendedKeyUsage=serverAuth,clientAuth",
                *_SIGNED,
                f"{_TIMESTAMPS}=DER:{_timestamps().hex()}",
            ),
        )  # fmt: skip
        chain = (folder / "leaf.pem", self._folder / "intermediate.pem", self.certificate)
        (folder / "certificate.pem").write_bytes(b"".join(path.read_bytes() for path in chain))
        (folder / "key.pem").write_bytes(self._leaf_key.read_bytes())

    def _signed_by(self, name: str) -> tuple[str, ...]:
        return ("-CA", str(self._folder / f"{name}.pem"), "-CAkey", str(self._folder / f"{name}.key"))


def _timestamps() -> bytes:
    """A DER octet string with a list of timestamps: version, log, time, no extensions, ECDSA with SHA-256."""
    signature = bytes(72)
    one = b"\0" + bytes(32) + bytes(8) + b"\0\0" + b"\x04\x03" + len(signature).to_bytes(2, "big") + signature
    entries = (len(one).to_bytes(2, "big") + one) * _TIMESTAMPS_OF
    stamps = len(entries).to_bytes(2, "big") + entries
    return b"\x04\x82" + len(stamps).to_bytes(2, "big") + stamps


def _is_address(name: str) -> bool:
    return name.replace(".", "").isdecimal()


def _extensions(*extensions: str) -> list[str]:
    return [word for extension in extensions for word in ("-addext", extension)]


def _openssl(*arguments: str) -> None:
    argv = ["openssl", "req", "-x509", "-days", _DAYS, *arguments]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode:
        raise GuestError(f"openssl req failed: {result.stderr.strip()}")


def write_object(path: Path, size_bytes: int, seed: int) -> None:
    """An object of incompressible bytes, the same for the same seed; in pieces, for the guest's memory is small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = random.Random(seed)  # noqa: S311 - reproducible, not secret
    with path.open("wb") as file:
        for begin in range(0, size_bytes, _PIECE_BYTES):
            file.write(generator.randbytes(min(_PIECE_BYTES, size_bytes - begin)))


def nginx_configuration(folder: Path) -> Path:
    """Write the configuration of an nginx that lives in a folder; return its path."""
    path = folder / "nginx.conf"
    path.write_text(_NGINX.substitute(folder=folder))
    return path
