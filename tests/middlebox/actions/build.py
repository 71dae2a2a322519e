"""What the actions' tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scapy.layers.inet import IP, TCP

from testbed.middlebox.events import event_name
from tests.middlebox.build import client_hello

if TYPE_CHECKING:
    from testbed.middlebox.events import Event

__all__ = ["REQUEST", "TWITTER", "is_well_formed", "names"]

TWITTER = client_hello("twitter.com")
REQUEST = b"GET / HTTP/1.1\r\nHost: rutracker.org\r\n\r\n"


def names(events: list[Event]) -> list[str]:
    """What happened, in words."""
    return [event_name(event) for event in events]


def is_well_formed(data: bytes) -> bool:
    """Whether both checksums are right, by scapy."""
    again = IP(data)
    sums = again.chksum, again[TCP].chksum
    del again.chksum, again[TCP].chksum
    rebuilt = IP(bytes(again))
    return (rebuilt.chksum, rebuilt[TCP].chksum) == sums
