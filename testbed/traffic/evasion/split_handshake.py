"""A handshake in which the server answers with a SYN of its own (Censored Planet, TSPU, 2022).

Both kernels open the connection at once (RFC 9293, section 3.5): SYN, SYN, SYN/ACK, SYN/ACK. Who was first, only the
order tells in which the box sees them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from testbed.traffic.evasion.names import in_one_packet
from testbed.traffic.hello import client_hello

if TYPE_CHECKING:
    from testbed.traffic.conversation import Passage

__all__ = ["SplitHandshake"]


@dataclass(frozen=True, slots=True)
class SplitHandshake:
    """Evaded the boxes of 2022; nothing was published about those of 2021."""

    def passage(self, name: str) -> Passage:
        """Open the connection from both ends at once, then send the hello."""
        # "both": each end binds its port and connects, and the two SYNs cross (see `far_end.prepare`).
        return replace(in_one_packet(client_hello(name)), opens="both")
