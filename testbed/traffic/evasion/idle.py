"""Trigger, stay idle until the box has forgotten the flow, then transfer (IMC 2021, sections 6.6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.traffic.conversation import Passage, Take
from testbed.traffic.hello import client_hello
from testbed.traffic.options import option, span

if TYPE_CHECKING:
    from testbed.traffic.conversation import Talk

__all__ = ["Idle", "after_idling"]

_REQUEST = bytes.fromhex("1703030001") + b"\x00"  # a record of application data


def after_idling(name: str, seconds: float) -> Passage:
    """Return a hello, ``seconds`` without a packet, and a short request that the far end answers with the object."""
    hello = client_hello(name)

    def send(talk: Talk) -> None:
        talk.send(hello)
        talk.settle()  # a segment that is sent again would be a packet, and the flow not idle
        talk.wait(seconds)
        talk.send(_REQUEST)

    return Passage(steps=(Take(len(hello) + len(_REQUEST)),), send=send, patience_s=seconds)


@dataclass(frozen=True, slots=True)
class Idle:
    """The box kept the state of an idle flow for about 10 minutes."""

    wait: float = option(610.0, span(0, 86_400), "how long to stay idle after the trigger")

    def passage(self, name: str) -> Passage:
        """Send the hello, stay idle, then ask for the object."""
        return after_idling(name, self.wait)
