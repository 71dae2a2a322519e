"""The hello sent by the server alone: boxes read both directions (IMC 2021, section 6.2)."""

from __future__ import annotations

from dataclasses import dataclass

from testbed.traffic.conversation import Give, Passage
from testbed.traffic.hello import client_hello

__all__ = ["ServerHello"]


@dataclass(frozen=True, slots=True)
class ServerHello:
    """The client connects and says nothing."""

    def passage(self, name: str) -> Passage:
        """Let the far end send the hello."""
        hello = client_hello(name)
        return Passage(steps=(Give(hello),), send=lambda talk: _discard(talk.receive(len(hello))))


def _discard(_: bytes) -> None:
    """What came is of no interest."""
