"""The handshake message in two TLS records of one packet: a box that reads the first record alone misses the name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.craft import split_record
from testbed.traffic.evasion.names import in_one_packet
from testbed.traffic.hello import BROWSER_BYTES, client_hello
from testbed.traffic.options import option, whole

if TYPE_CHECKING:
    from testbed.traffic.conversation import Passage

__all__ = ["TlsSplit"]

_RECORD_HEADER = 5


@dataclass(frozen=True, slots=True)
class TlsSplit:
    """Two records, one packet."""

    at: int = option(40, whole(1, BROWSER_BYTES - _RECORD_HEADER - 1), "bytes of the message in the first record")

    def passage(self, name: str) -> Passage:
        """Send the hello in two records, which fit into one packet."""
        return in_one_packet(split_record(client_hello(name), self.at))
