"""A RST or FIN for the box alone, to make it forget the flow. It did not (IMC 2021, sections 6.6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.packet import ACK, FIN, RST
from testbed.traffic.conversation import Passage, Take
from testbed.traffic.evasion.fake import low_ttl
from testbed.traffic.hello import client_hello
from testbed.traffic.options import choice, option

if TYPE_CHECKING:
    from testbed.traffic.conversation import Talk

__all__ = ["InjectedFin", "InjectedReset"]

_WHEN = choice("before", "after")


def _with_injection(name: str, flags: int, ttl: int, when: str) -> Passage:
    hello = client_hello(name)

    def send(talk: Talk) -> None:
        # Crafted, since a RST of the kernel would end the connection, and a FIN half of it.
        if when == "before":
            talk.emit(talk.segment(flags=flags, ttl=ttl))
        talk.send(hello)
        if when == "after":
            talk.emit(talk.segment(flags=flags, ttl=ttl))

    return Passage(steps=(Take(len(hello)),), send=send)


@dataclass(frozen=True, slots=True)
class InjectedReset:
    """A RST that dies behind the box."""

    ttl: int = low_ttl("time-to-live of the RST: past the box, short of the server")
    when: str = option("after", _WHEN, "before or after the hello")

    def passage(self, name: str) -> Passage:
        """Send the hello and a RST with a short life."""
        return _with_injection(name, RST, self.ttl, self.when)


@dataclass(frozen=True, slots=True)
class InjectedFin:
    """A FIN that dies behind the box."""

    ttl: int = low_ttl("time-to-live of the FIN: past the box, short of the server")
    when: str = option("after", _WHEN, "before or after the hello")

    def passage(self, name: str) -> Passage:
        """Send the hello and a FIN with a short life."""
        return _with_injection(name, FIN | ACK, self.ttl, self.when)
