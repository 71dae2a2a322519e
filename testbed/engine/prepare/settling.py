"""How long a network is left alone before t = 0: until then, its links come up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.engine.engine import Engine
    from testbed.records.plan import Clock
    from testbed.scenario.plan import Plan

__all__ = ["settled_clock"]

# The kernel lets a link send once it has looked at its carrier, a hundred a second (net/core/link_watch.c,
# MAX_DO_DEV_EVENT). Half as many leave room for links that boxes make, and for a second look.
_LINKS_A_SECOND = 50


def settled_clock(plan: Plan, engine: Engine) -> Clock:
    """Return the clock of an engine with the time that the plan's network needs, if that is more than usual.

    The guest looks whether it was enough, except in virtual time at a small network, which it always is for: one look
    more at the kernel gives it other random numbers.
    """
    clock = engine.clock
    needed_s = 2 * len(plan.topology.links()) / _LINKS_A_SECOND
    if clock["is_virtual"] and needed_s <= clock["settle_s"]:
        return clock
    return {**clock, "settle_s": max(clock["settle_s"], needed_s), "looks_at_links": True}
