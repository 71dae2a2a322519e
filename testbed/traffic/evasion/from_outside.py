"""A connection that the far end opens: never throttled, whatever is said on it (IMC 2021, section 6.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.traffic.conversation import Give, Passage, Take
from testbed.traffic.hello import client_hello
from testbed.traffic.options import choice, option

if TYPE_CHECKING:
    from testbed.traffic.conversation import Talk

__all__ = ["FromOutside"]


@dataclass(frozen=True, slots=True)
class FromOutside:
    """The client listens. Subscribers here have no address translation in front of the box."""

    hello_by: str = option("client", choice("client", "server", "both"), "who sends the hello")

    def passage(self, name: str) -> Passage:
        """Let the far end open the connection, then let either end send the hello."""
        hello = client_hello(name)
        ours = hello if self.hello_by in {"client", "both"} else b""
        theirs = hello if self.hello_by in {"server", "both"} else b""

        def send(talk: Talk) -> None:
            if ours:
                talk.send(ours)
            talk.receive(len(theirs))

        # The far end takes before it gives, so that a hello of the client is seen before one of the server.
        return Passage(steps=(Take(len(ours)), Give(theirs)), send=send, opens="far")
