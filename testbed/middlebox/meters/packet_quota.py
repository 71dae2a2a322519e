"""The first so many packets of a flow pass, of both directions together, then none (DPICH26: typically 25)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from testbed.middlebox.meters.meter import AmountSpec, Policer
from testbed.middlebox.written import whole

if TYPE_CHECKING:
    from testbed.middlebox.meters.meter import Beginning

__all__ = ["PacketQuota", "PacketQuotaSpec"]

_MOST_PACKETS = 1_000_000_000


class PacketQuota(Policer):
    """How many packets may still pass."""

    __slots__ = ("_left",)

    def __init__(self, packets: int) -> None:
        """Allow ``packets``; none if that is no more than zero."""
        self._left = packets

    def conforms(self, length: int, now_ns: int) -> bool:
        """Return whether a packet may pass. An empty one counts as any other, unlike with a quota of bytes."""
        del length, now_ns  # a budget of packets knows neither
        self._left -= 1
        return self._left >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketQuotaSpec(AmountSpec):
    """A packet quota as a profile describes it: ``packets`` of the whole flow, with those before the match."""

    kind = "packet_quota"
    is_shared = True

    packets: Annotated[int, whole(1, _MOST_PACKETS)]

    def start(self, beginning: Beginning) -> PacketQuota:
        """Return what is left of the quota once the packets up to the match have passed."""
        return PacketQuota(self.packets - beginning.packets)
