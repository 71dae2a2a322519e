"""A datagram for the box alone, before the QUIC hello: what circumvention programs of 2024 send before an Initial.

It dies behind the box: a far end would throw away what is no QUIC, and answer an Initial of another connection. Noise
of more than 100 bytes makes boxes of 2021's kind give up on a flow; whether one of QUIC does is the profile's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from testbed.traffic.evasion.fake import low_ttl, noise
from testbed.traffic.evasion.quic import Quic, first_flight
from testbed.traffic.options import SERVER_NAME, choice, option, whole

if TYPE_CHECKING:
    from testbed.traffic.conversation import DatagramPassage

__all__ = ["FakeQuic"]

_ANOTHER_CONNECTION = 99  # a seed that no true hello has: of other connection IDs, and so of other keys


@dataclass(frozen=True, slots=True)
class FakeQuic:
    """One datagram first: noise, or an innocuous hello of a connection of its own."""

    ttl: int = low_ttl()
    fake: str = option("random", choice("random", "hello"), "what goes first: random or hello")
    size: int = option(150, whole(1, 1400), "of the random payload, bytes")
    other: str = option("example.org", SERVER_NAME, "the name in the fake hello")

    def passage(self, name: str) -> DatagramPassage:
        """Send the fake with a short life, then the hello in a QUIC Initial packet."""
        return replace(Quic().passage(name), decoys=self._decoys(), decoy_ttl=self.ttl)

    def _decoys(self) -> tuple[bytes, ...]:
        if self.fake == "random":
            return (noise(self.size),)
        return first_flight(self.other, version=1, datagrams=1, seed=_ANOTHER_CONNECTION)
