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

_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
_DAYS = "3650"
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
    listen 443 ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate $folder/certificate.pem;
    ssl_certificate_key $folder/key.pem;
    root $folder/www;
  }
}
""")


class CertificateAuthority:
    """A CA in a folder. Inside the guest its keys come from the seeded generator: predictable, worth nothing outside.

    Raises:
        GuestError: openssl failed.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.pem"
        self._key = folder / "ca.key"
        _openssl(
            "req", "-x509", *_CURVE, "-keyout", str(self._key), "-out", str(self.certificate),
            "-subj", "/CN=Throttling testbed CA", "-days", _DAYS,
        )  # fmt: skip

    def issue(self, names: list[str], folder: Path) -> None:
        """Write ``certificate.pem`` and ``key.pem`` for these DNS names into a folder."""
        alternative = ",".join(f"DNS:{name}" for name in names)
        _openssl(
            "req", "-x509", "-CA", str(self.certificate), "-CAkey", str(self._key), *_CURVE,
            "-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"),
            "-subj", "/CN=origin", "-addext", f"subjectAltName={alternative}",
            "-addext", "basicConstraints=critical,CA:FALSE", "-days", _DAYS,
        )  # fmt: skip


def _openssl(*arguments: str) -> None:
    result = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise GuestError(f"openssl {arguments[0]} failed: {result.stderr.strip()}")


def write_object(path: Path, size_bytes: int, seed: int) -> None:
    """An object of incompressible bytes, the same for the same seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random.Random(seed).randbytes(size_bytes))  # noqa: S311 - reproducible, not secret


def nginx_configuration(folder: Path) -> Path:
    """Write the configuration of an nginx that lives in a folder; return its path."""
    path = folder / "nginx.conf"
    path.write_text(_NGINX.substitute(folder=folder))
    return path
