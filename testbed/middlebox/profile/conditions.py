"""What a rule may ask beyond its patterns: where, with which extensions, how often; and what it leaves behind.

A rule matches only if all of its conditions hold. Not for: remembering; `testbed.middlebox.memory` does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from testbed.middlebox.described import Described
from testbed.middlebox.profile.prefix import Prefix
from testbed.middlebox.written import Seconds, whole

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

__all__ = ["EXTENSIONS", "Conditions", "Repeated", "Taint", "network_of"]

_MOST_TIMES = 1000
_IPV4_BYTES, _IPV4_BITS = 4, 32

# IANA, TLS ExtensionType Values: those by which clients differ.
EXTENSIONS = {
    "status_request": 5,
    "application_layer_protocol_negotiation": 16,
    "signed_certificate_timestamp": 18,
    "padding": 21,
    "compress_certificate": 27,
    "delegated_credential": 34,
    "session_ticket": 35,
    "quic_transport_parameters": 57,
    "encrypted_client_hello": 0xFE0D,
}
"""TLS extensions that a rule can ask for, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated(Described):
    """So many flows of a subscriber whose hellos bear one name, to one network, in a short time.

    Attributes:
        times: The flow that makes it so many matches.
        within_s: No more than this lies between the first and the last of them.
        lasts_s: For so long after that, further flows with the name match at once.
        network: Servers are one network where so many first bits of their addresses agree; of IPv6 twice as many.
    """

    times: Annotated[int, whole(2, _MOST_TIMES)]
    within_s: Seconds
    lasts_s: Seconds
    network: Annotated[int, whole(1, _IPV4_BITS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint(Described):
    """What a match leaves behind: flows that begin later match too, whatever they say.

    Attributes:
        what: Flows of the subscriber to the same ``address``; or all of the ``subscriber``, those that go on too.
        lasts_s: For so long after the match.
    """

    what: Literal["address", "subscriber"]
    lasts_s: Seconds


class Conditions:
    """Conditions of one rule that one hello, or one address, can meet by itself."""

    __slots__ = ("_at", "_extensions", "_not_at")

    def __init__(self, at: Iterable[str], not_at: Iterable[str], extensions: Iterable[str]) -> None:
        """Servers at these prefixes alone, if there are any, and not at those; hellos with all of the extensions."""
        self._at = [Prefix(each) for each in at]
        self._not_at = [Prefix(each) for each in not_at]
        self._extensions = frozenset(EXTENSIONS[each] for each in extensions)

    def hold(self, server: bytes, extensions: Container[int]) -> bool:
        """Return whether they hold for a packed address, and a hello with these extensions."""
        if self._at and not any(server in prefix for prefix in self._at):
            return False
        if any(server in prefix for prefix in self._not_at):
            return False
        return all(each in extensions for each in self._extensions)


def network_of(address: bytes, length: int) -> bytes:
    """Return a packed address with its first ``length`` bits alone; of IPv6 twice as many. Its size is kept."""
    bits = len(address) * 8
    kept = length if len(address) == _IPV4_BYTES else 2 * length
    shift = max(0, bits - kept)
    return (int.from_bytes(address, "big") >> shift << shift).to_bytes(len(address), "big")
