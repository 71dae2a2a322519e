"""The hello inflated past one packet with the padding extension (RFC 7685; IMC 2021, section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.traffic.evasion.names import in_one_packet
from testbed.traffic.hello import client_hello
from testbed.traffic.options import option, whole

if TYPE_CHECKING:
    from testbed.traffic.conversation import Passage

__all__ = ["Padding"]

_PACKET_BYTES = 1460
_RECORD_BYTES = 16_384  # what fits in one record is the most


@dataclass(frozen=True, slots=True)
class Padding:
    """TCP does the splitting."""

    size: int = option(1600, whole(_PACKET_BYTES + 1, _RECORD_BYTES), "of the hello, bytes")

    def passage(self, name: str) -> Passage:
        """Send a hello that is longer than a segment, so that the kernel cuts it."""
        return in_one_packet(client_hello(name, size=self.size))
