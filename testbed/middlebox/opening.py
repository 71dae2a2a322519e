"""How a flow began, and what follows from it: who opened it, and whether the box will look at it at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.middlebox.packet import ACK, RST, SYN, UDP, Direction, Packet

if TYPE_CHECKING:
    from random import Random

    from testbed.middlebox.profile import Trigger

__all__ = ["opener", "reason_not_to_inspect"]


def opener(packet: Packet) -> str:
    """Who opened a flow whose first packet this is: "inside", "outside" or "unknown".

    Of TCP a SYN says it, anything else does not; of UDP the first packet does.
    """
    # SYN without ACK, whatever else is set: ECN's flags go with it. With RST it is no opening but nonsense.
    if packet.protocol != UDP and packet.flags & (SYN | ACK | RST) != SYN:
        return "unknown"
    return "inside" if packet.direction is Direction.UP else "outside"


def reason_not_to_inspect(trigger: Trigger, packet: Packet, opened_by: str, random: Random) -> str | None:
    """Return why the box leaves a new flow alone; None if it inspects it.

    Args:
        trigger: Of the profile.
        packet: The flow's first.
        opened_by: As `opener` says.
        random: Draws whether the flow passes the box, where only a share of flows does.
    """
    if opened_by == "unknown":
        if trigger.midstream == "ignore":
            return "opener unknown"
        opened_by = "inside" if packet.direction is Direction.UP else "outside"
    if trigger.opened_from == "inside" and opened_by == "outside":
        return "opened from outside"
    if trigger.ports and packet.key.outside_port not in trigger.ports:
        return "other port"
    # Last, so that a flow that is left alone anyway draws no lot.
    if trigger.share < 1 and random.random() >= trigger.share:
        return "not selected"
    return None
