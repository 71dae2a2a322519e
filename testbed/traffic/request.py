"""What a measuring client is asked for, whatever protocol it speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for ``https://host/path``, and how the client makes it.

    Attributes:
        host: Goes into SNI and the request's own field for it.
        address: Where to connect to.
        path: Of the object, or what takes one.
        ca: Certificate authority, PEM.
        key_log: TLS secrets are appended there.
        timeout_s: For all of it.
        receive_buffer: Of a TCP connection, bytes; None: the kernel's, which grows.
        reading_bps: How fast the answer is read from a TCP connection, bits per second; None: as it comes.
        objects: How often the object is asked for, one request after the other's answer, on the one connection.
    """

    host: str
    address: tuple[str, int]
    path: str
    ca: Path
    key_log: Path
    timeout_s: float
    receive_buffer: int | None = None
    reading_bps: int | None = None
    objects: int = 1
