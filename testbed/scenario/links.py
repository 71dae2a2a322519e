"""What a scenario may say of single links: ``links``, each by its two nodes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from testbed.errors import ScenarioError
from testbed.guest.network.impairment import sending_ends
from testbed.guest.network.topology import parse_link_delay, parse_link_rate
from testbed.quantities import parse_duration, parse_share, parse_size
from testbed.scenario.access import Strict

if TYPE_CHECKING:
    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.plan import LinkPlan, QueueKind, QueuePlan
    from testbed.scenario.place import Key, Places

__all__ = ["Link", "Loss", "plan_links"]

_MOST_PACKETS = 1_000_000
_FULL_PACKET_BYTES = 1514  # of Ethernet: what a queue of packets is thought to hold, where bytes are asked for
_LONGEST_BURST = 1000.0

Discipline = Literal["fifo", "codel", "fq_codel"]


class Loss(Strict):
    """Loss in bursts: the share of packets lost, and how many are lost in a row on average."""

    mean: Annotated[float, BeforeValidator(parse_share)]
    burst: float = Field(ge=1, le=_LONGEST_BURST)


def _loss(value: object) -> object:
    """Read a share that is lost packet by packet, or a mapping."""
    return value if isinstance(value, dict) else {"mean": value, "burst": 1.0}


class Link(Strict):
    """One link, both ways or towards one of its ends."""

    between: tuple[str, str]
    toward: str | None = None
    delay: Annotated[float, BeforeValidator(parse_link_delay)] | None = None
    jitter: Annotated[float, BeforeValidator(parse_link_delay)] | None = None
    loss: Annotated[Loss, BeforeValidator(_loss)] | None = None
    duplicate: Annotated[float, BeforeValidator(parse_share)] | None = None
    reorder: Annotated[float, BeforeValidator(parse_share)] | None = None
    rate: Annotated[int, BeforeValidator(parse_link_rate)] | None = None
    queue: int | str | None = None
    discipline: Discipline | None = None


def plan_links(links: list[Link], topology: RoutedTopo, places: Places, *, seed: int, builder: str) -> list[LinkPlan]:
    """Resolve what a scenario says of its links.

    Args:
        links: As the scenario has them.
        topology: That has the links.
        places: For errors.
        seed: Of the run: each link draws from a seed of its own.
        builder: Who makes the links.

    Raises:
        ScenarioError: A link, a direction or a queue that there cannot be.
    """
    if links and builder == "stock":
        raise places.error(("links",), "Mininet's own links cannot do this; remove network.links: stock")
    planned: list[LinkPlan] = []
    taken: set[int] = set()
    for index, link in enumerate(links):
        key: Key = ("links", index)
        plan = _planned(link, seed)
        ends = _ends_of(link, plan, topology, key, places)
        if taken & {id(end) for end in ends}:
            raise places.error((*key, "between"), f"the link of {' and '.join(link.between)} stands twice, that way")
        taken |= {id(end) for end in ends}
        rates = [plan["rate_bps"]] if "rate_bps" in plan else [round(end["bw"] * 1e6) for end in ends if "bw" in end]
        try:
            queue = _queue(link, rates)
        except ValueError as error:
            raise places.error((*key, "queue"), str(error)) from error
        if queue is not None:
            plan["queue"] = queue
        planned.append(plan)
    return planned


def _ends_of(link: Link, plan: LinkPlan, topology: RoutedTopo, key: Key, places: Places) -> list[dict[str, Any]]:
    """Return the options of the ends that send in the link's directions."""
    if link.toward is not None and link.toward not in link.between:
        raise places.error((*key, "toward"), f"expected {' or '.join(link.between)}, got {link.toward!r}")
    try:
        return sending_ends(topology, plan)
    except ScenarioError as error:
        raise places.error((*key, "between"), str(error)) from error


def _planned(link: Link, seed: int) -> LinkPlan:
    lot = f"link {seed} {' '.join(link.between)} {link.toward}"
    plan: LinkPlan = {
        "between": list(link.between),
        # Not zero, which would leave the choice to the kernel; the same whatever else the scenario says.
        "seed": int.from_bytes(hashlib.sha256(lot.encode()).digest()[:8], "big") | 1,
    }
    if link.toward is not None:
        plan["toward"] = link.toward
    if link.delay is not None:
        plan["delay_s"] = link.delay
    if link.jitter is not None:
        plan["jitter_s"] = link.jitter
    if link.loss is not None:
        plan["loss"], plan["burst"] = link.loss.mean, link.loss.burst
    if link.duplicate is not None:
        plan["duplicate"] = link.duplicate
    if link.reorder is not None:
        plan["reorder"] = link.reorder
    if link.rate:
        plan["rate_bps"] = link.rate
    return plan


def _queue(link: Link, rates_bps: list[int]) -> QueuePlan | None:
    """Return the queue: so many packets, so many bytes, or what the link sends in so much time.

    Raises:
        ValueError: What was expected.
    """
    if link.queue is None and link.discipline is None:
        return None
    if not rates_bps:
        raise ValueError("a link without a rate has no queue; say its rate")
    kind: QueueKind = "pfifo" if link.discipline in {None, "fifo"} else link.discipline  # type: ignore[assignment]
    written = 100 if link.queue is None else link.queue
    if isinstance(written, int):
        limit = written
    else:
        limit = _bytes_of(written, min(rates_bps))
        if kind == "pfifo":
            kind = "bfifo"
        else:
            limit = max(1, limit // _FULL_PACKET_BYTES)  # these count packets
    most = _MOST_PACKETS * (_FULL_PACKET_BYTES if kind == "bfifo" else 1)
    if not 1 <= limit <= most:
        raise ValueError(f"expected 1 to {_MOST_PACKETS} packets, or as many bytes or as much time, got {written!r}")
    return {"kind": kind, "limit": limit}


def _bytes_of(written: str, rate_bps: int) -> int:
    try:
        return parse_size(written)
    except ValueError:
        pass
    try:
        return round(parse_duration(written) * rate_bps / 8)
    except ValueError:
        wanted = "packets such as 100, a size such as 64 kB or a time such as 60 ms"
        raise ValueError(f"expected {wanted}, got {written!r}") from None
