"""Origins: nginx on port 443, and the objects that are served. Their certificates: authority.py."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

from testbed.traffic.hello import reproducible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed.records.plan import OriginPlan

__all__ = ["find_object", "is_nginx", "nginx_configuration", "objects_on_disk", "write_object"]

# Keys of an origin that nginx cannot honour, or not as they are meant; and the one that says that it need not.
_OF_OWN_SERVER = {"rate_bps", "think_s", "send_buffer", "pacing_bps", "uploads", "builtin"}
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


def is_nginx(origin: OriginPlan) -> bool:
    """Return whether nginx serves an origin; the testbed's own server (origin_server.py) serves the others."""
    return not _OF_OWN_SERVER & set(origin)


def objects_on_disk(origins: Mapping[str, OriginPlan]) -> dict[str, int]:
    """Return the objects (path to size) that lie in files of the host's, one for all origins, and in no guest's memory.

    These are the large ones; or all, where the others together are more than memory has room for.
    """
    objects = {path: size for origin in origins.values() for path, size in origin["objects"].items()}
    large = {path: size for path, size in objects.items() if size >= _LARGE_OBJECT_BYTES}
    in_memory = (sum(objects.values()) - sum(large.values())) * len(origins)
    return objects if in_memory > _MOST_BYTES_IN_MEMORY else large


def find_object(folder: Path, path: str) -> Path | None:
    """Return the object that a request names, if there is one.

    Args:
        folder: Of the origin, with its objects below ``www``.
        path: As the client sent it. A query is nothing to an object, as nginx has it.
    """
    # It is looked up, never opened as it is: whoever asks for /../key.pem is told that there is none.
    return {f"/{each.name}": each for each in (folder / "www").iterdir()}.get(path.partition("?")[0])


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
