"""What a plan says of single links, put upon a topology before it is built: host and guest do the same.

A link's end has what leaves there: the direction towards a node is changed at the end that sends to it. A box's own
ports have no disciplines, and none can be put there (`RoutedTopo.connect`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed.errors import ScenarioError
from testbed.netlink.policer import Policer
from testbed.netlink.queue import Queue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.link_plan import LinkPlan

__all__ = ["Impairment", "impair", "sending_ends"]

_PERCENT = 100
DEFAULT_QUEUE_PACKETS = 100  # of a link whose rate is limited by the plan alone


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a link's end does beside what Mininet has words for.

    Attributes:
        burst: Mean number of packets that are lost in a row.
        duplicate: Share of packets that are sent twice.
        reorder: Share of packets that overtake those before them.
        keeps_order: Whether jitter leaves the order of packets as it is.
        seed: Of the draws; 0: the kernel chooses.
        is_traced: Whether the rate follows a trace.
        policer: Of what is sent, before it waits; None: there is none.
        queue: What waits for the link's turn; None: netem's own, in packets.
    """

    burst: float = 1.0
    duplicate: float = 0.0
    reorder: float = 0.0
    keeps_order: bool = False
    seed: int = 0
    is_traced: bool = False
    queue: Queue | None = None
    policer: Policer | None = None


def impair(topology: RoutedTopo, links: Iterable[LinkPlan]) -> None:
    """Change the options of links.

    Raises:
        ScenarioError: There is no such link, or nothing can be changed at a box's port.
    """
    for link in links:
        for side in sending_ends(topology, link):
            _change(side, link)


def sending_ends(topology: RoutedTopo, link: LinkPlan) -> list[dict[str, Any]]:
    """Return the options of the ends that send in the directions of a plan's link.

    Raises:
        ScenarioError: As `impair`.
    """
    first, second = link["between"]
    infos = [
        info for one, other, info in topology.iterLinks(withInfo=True) if {one, other} == {first, second}
    ]  # fmt: skip
    if not infos:
        raise ScenarioError(f"no link between {first} and {second} (there: {topology.links_in_words()})")
    senders = [node for node in (first, second) if link.get("toward") in {None, first, second} - {node}]
    for node in senders:
        if topology.role(node) == "box":
            raise ScenarioError(f"{node} is a middlebox, whose ports add nothing of their own; choose another link")
    return [
        info[f"params{number}"] for info in infos for number in ("1", "2") if info[f"node{number}"] in senders
    ]  # fmt: skip


def _change(side: dict[str, Any], link: LinkPlan) -> None:
    if "delay_s" in link:
        side["delay"] = f"{link['delay_s'] * 1000:.6f}ms"
    if "jitter_s" in link:
        side["jitter"] = f"{link['jitter_s'] * 1000:.6f}ms"
    if "loss" in link:
        side["loss"] = link["loss"] * _PERCENT
    if "rate_bps" in link:
        side["bw"] = link["rate_bps"] / 1e6
        side.setdefault("max_queue_size", DEFAULT_QUEUE_PACKETS)
    queue, policer = link.get("queue"), link.get("policer")
    side["impairment"] = Impairment(
        burst=link.get("burst", 1.0),
        duplicate=link.get("duplicate", 0.0),
        reorder=link.get("reorder", 0.0),
        keeps_order=link.get("keeps_order", False),
        seed=link["seed"],
        is_traced="trace" in link,
        queue=None if queue is None else Queue(queue["kind"], queue["limit"]),
        policer=None if policer is None else Policer(policer["rate_bps"] // 8, policer["burst"]),
    )
