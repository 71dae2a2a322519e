"""A request is answered with the ISP's page, and the server is reset. What comes later is dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from testbed.middlebox.actions.action import Blocking
from testbed.middlebox.actions.segments import answer, onward
from testbed.middlebox.packet import ACK, FIN, PSH, RST
from testbed.middlebox.packet_events import packet_dropped
from testbed.middlebox.written import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.middlebox.described import Problem
    from testbed.middlebox.events import Event
    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile.model import Profile

__all__ = ["BlockPage"]

_LONGEST_PAGE = 1200  # bytes: with its head and the packet's it has to fit into 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPage(Blocking):
    """A page in the server's place; ``page`` is HTML."""

    kind = "block_page"
    effect = "ends"
    needs_tcp = True

    page: Annotated[str, text(_LONGEST_PAGE)]

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Announce it and answer in the server's place."""
        page = self.page.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
        return [
            *Blocking.start(self, flow, packet, now_ns),
            # The FIN goes with the page: the client must not wait for the server's, which is dropped.
            answer(flow, packet, now_ns, FIN | PSH | ACK, reason=self.kind, payload=head.encode() + page),
            onward(flow, packet, now_ns, RST | ACK, reason=self.kind),
        ]

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Drop what either side still sends."""
        if packet.direction not in self.directions:
            return []
        return [packet_dropped(flow, packet, now_ns, self.kind)]

    def problems(self, profile: Profile) -> Iterator[Problem]:
        """Refuse a page without a request that it could answer."""
        if "http" not in profile.trigger.names_from:
            yield "action.kind", "a block page answers an HTTP request; add http to trigger.names_from"
