"""Natural variation: no two afternoons are alike, so two seeds of a scenario that judges detectors must not be, either.

Where a scenario says ``variation: natural``, three things are drawn from the seed that nobody would call an impairment:
when each measurement begins, how long an origin thinks each time, and a little jitter of the first and the last link,
which keeps the order of packets. The sizes are ours: small beside any delay or pause that a scenario is about.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING, Final, Literal

from testbed.quantities import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.link_plan import LinkPlan
    from testbed.records.plan import OriginPlan, Phase

__all__ = ["Variation", "natural_links", "vary_origins", "vary_starts"]

Variation = Literal["none", "natural"]

_MEAN_LATER_S: Final = 0.2
_MOST_JITTER_S: Final = 0.0002
_SHARE_OF_DELAY: Final = 0.5  # a packet is never early by more than it is under way
THINK_SIGMA: Final = 0.2
"""Standard deviation of the logarithm of a time to think."""


def _seed(seed: int, what: str) -> int:
    # Never zero, which would leave the choice to the kernel.
    return int.from_bytes(hashlib.sha256(f"variation {seed} {what}".encode()).digest()[:8], "big") | 1


def natural_links(topology: RoutedTopo, links: Iterable[LinkPlan], *, seed: int) -> list[LinkPlan]:
    """Return a little jitter for the links of clients and servers of which the scenario says nothing itself.

    A link of a middlebox has none: its ports add nothing of their own. A link without a delay has none, either.
    """
    said = {frozenset(link["between"]) for link in links}
    leaves = {*topology.with_role("client"), *topology.with_role("server")}
    found: list[LinkPlan] = []
    for first, second, info in topology.iterLinks(withInfo=True):
        is_free = not any(topology.role(node) == "box" for node in (first, second))
        if not leaves & {first, second} or frozenset({first, second}) in said or not is_free:
            continue
        delay_s = min(parse_duration(info[side].get("delay", 0)) for side in ("params1", "params2"))
        jitter_s = round(min(_MOST_JITTER_S, delay_s * _SHARE_OF_DELAY), 6)
        if jitter_s > 0:
            found.append(
                {
                    "between": [first, second], "seed": _seed(seed, f"{first} {second}"), "jitter_s": jitter_s,
                    "keeps_order": True, "natural": True,
                }
            )  # fmt: skip
    return found


def vary_origins(origins: dict[str, OriginPlan], *, seed: int) -> None:
    """Let every origin that thinks do so for another time at each request."""
    for node, origin in origins.items():
        if "think_s" in origin:
            origin["think_sigma"] = THINK_SIGMA
            origin["think_seed"] = _seed(seed, f"think {node}")


def vary_starts(phase: Phase, *, seed: int) -> None:
    """Let every measurement of a phase begin a little later, by an exponential time of its own.

    Connections at once still begin together.
    """
    for line in phase["lines"]:
        for number, transfer in enumerate(line["transfers"]):
            own = transfer.get("group", transfer["id"])
            later_s = Random(_seed(seed, f"start {own}")).expovariate(1 / _MEAN_LATER_S)  # noqa: S311 - reproducible
            later_s = round(later_s, 6)
            # The first of a line, and one with an instant of its own, have nothing before them to pause after.
            if number == 0 or transfer["at_s"] or own == line["transfers"][0].get("group"):
                transfer["at_s"] += later_s
            else:
                transfer["pause_s"] = transfer.get("pause_s", 0.0) + later_s
