"""What a scenario may say of single links: ``links``, each by its two nodes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from testbed.errors import ScenarioError
from testbed.guest.network.impairment import sending_ends
from testbed.guest.network.parameter import parse_link_delay, parse_link_rate
from testbed.netlink.red import LEAST_RED_BYTES, MOST_RED_BYTES
from testbed.quantities import parse_duration, parse_share, parse_size, shown
from testbed.scenario.access import Strict
from testbed.scenario.traces import find_trace, mean_bps, read_trace

if TYPE_CHECKING:
    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.link_plan import LinkPlan, QueueKind, QueuePlan, TracePlan
    from testbed.scenario.place import Key, Places

__all__ = ["Link", "Loss", "plan_links"]

_MOST_PACKETS = 1_000_000
_FULL_PACKET_BYTES = 1514  # of Ethernet: what a queue of packets is thought to hold, where bytes are asked for
_LONGEST_BURST = 1000.0
_LARGEST_BURST_BYTES = 100_000_000

_QUEUES = "packets such as 100, a size such as 64 kB or a time such as 60 ms"

Discipline = Literal["fifo", "codel", "fq_codel", "red"]


def _no_truth(value: object) -> object:
    """Refuse true and false, which to Python are numbers."""
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {str(value).lower()}")  # noqa: TRY004 - one error for all bad input
    return value


def _queue_as_written(value: object) -> object:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | str)):
        raise ValueError(f"expected {_QUEUES}, got {shown(value)}")
    return value


def _limit(value: object) -> int:
    rate_bps = parse_link_rate(value)
    if rate_bps == 0:
        raise ValueError("a rate of 0 limits nothing; remove it, or fail the link with an outage")
    return rate_bps


class Loss(Strict):
    """Loss in bursts: the share of packets lost, and how many are lost in a row on average."""

    mean: Annotated[float, BeforeValidator(parse_share)]
    burst: Annotated[float, BeforeValidator(_no_truth)] = Field(ge=1, le=_LONGEST_BURST)

    @model_validator(mode="after")
    def _bursts_leave_gaps(self) -> Loss:
        # Between two bursts at least one packet arrives: so many of burst + 1 are lost at most.
        most = self.burst / (self.burst + 1)
        if self.burst > 1 and self.mean > most:
            raise ValueError(
                f"bursts of {self.burst:g} packets with one that arrives between them lose {most * 100:.4g} % on "
                f"average, got a mean of {self.mean * 100:g} %; lose less, or in longer bursts"
            )
        return self


class PolicerOfLink(Strict):
    """A policer on all that the link carries, as tariffs are kept: its rate, and what may come at once."""

    rate: Annotated[int, BeforeValidator(parse_link_rate)] = Field(gt=0)
    burst: Annotated[int, BeforeValidator(parse_size)] = Field(ge=_FULL_PACKET_BYTES, le=_LARGEST_BURST_BYTES)


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
    keeps_order: StrictBool | None = None
    rate: Annotated[int, BeforeValidator(_limit)] | None = None
    trace: str | None = None
    policer: PolicerOfLink | None = None
    queue: Annotated[int | str | None, BeforeValidator(_queue_as_written)] = None
    discipline: Discipline | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Link:
        said = {name for name in self.model_fields_set if getattr(self, name) is not None}
        if not said - {"between", "toward"}:
            raise ValueError("nothing is said of this link; say what it does, such as delay: 20 ms, or remove it")
        return self

    @model_validator(mode="after")
    def _order_is_of_jitter(self) -> Link:
        if self.keeps_order is not None and not self.jitter:
            raise ValueError("keeps_order says what jitter does to the order of packets, and there is none; add jitter")
        if self.keeps_order and self.reorder:
            raise ValueError("a link keeps the order of packets or reorders a share of them; remove one of the two")
        return self


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
        if link.trace is not None:
            plan["trace"] = _trace(link, link.trace, key, places)
            plan["rate_bps"] = plan["trace"]["rates_bps"][0]
        ends = _ends_of(link, plan, topology, key, places)
        if link.reorder and not link.jitter and not all(_delay_s(link, end) for end in ends):
            raise places.error((*key, "reorder"), "a link without a delay has no packet to be overtaken; say its delay")
        if taken & {id(end) for end in ends}:
            raise places.error((*key, "between"), f"the link of {' and '.join(link.between)} stands twice, that way")
        taken |= {id(end) for end in ends}
        try:
            queue = _queue(link, _rates_bps(plan, ends))
        except ValueError as error:
            raise places.error((*key, "queue"), str(error)) from error
        if queue is not None:
            plan["queue"] = queue
        planned.append(plan)
    return planned


def _trace(link: Link, name: str, key: Key, places: Places) -> TracePlan:
    if link.rate is not None:
        raise places.error((*key, "trace"), "a link has a rate or a trace; remove one of them")
    try:
        return read_trace(find_trace(name, beside=places.folder))
    except ScenarioError as error:
        raise places.error((*key, "trace"), str(error)) from error


def _ends_of(link: Link, plan: LinkPlan, topology: RoutedTopo, key: Key, places: Places) -> list[dict[str, Any]]:
    """Return the options of the ends that send in the link's directions."""
    if link.toward is not None and link.toward not in link.between:
        raise places.error((*key, "toward"), f"expected {' or '.join(link.between)}, got {link.toward!r}")
    try:
        return sending_ends(topology, plan)
    except ScenarioError as error:
        raise places.error((*key, "between"), str(error)) from error


def _delay_s(link: Link, end: dict[str, Any]) -> float:
    """Return the delay of an end: what the link says, or what the topology does, as Mininet has it (``20ms``)."""
    return float(str(end.get("delay", "0ms")).removesuffix("ms")) / 1000 if link.delay is None else link.delay


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
    if link.keeps_order is not None:
        plan["keeps_order"] = link.keeps_order
    if link.rate is not None:
        plan["rate_bps"] = link.rate
    if link.policer is not None:
        plan["policer"] = {"rate_bps": link.policer.rate, "burst": link.policer.burst}
    return plan


def _rates_bps(plan: LinkPlan, ends: list[dict[str, Any]]) -> list[int]:
    """Return the rates that a queue's time is reckoned at; of a trace its mean, for a queue does not follow it."""
    if "trace" in plan:
        return [mean_bps(plan["trace"])]
    return [plan["rate_bps"]] if "rate_bps" in plan else [round(end["bw"] * 1e6) for end in ends if "bw" in end]


def _queue(link: Link, rates_bps: list[int]) -> QueuePlan | None:
    """Return the queue: so many packets, so many bytes, or what the link sends in so much time.

    Raises:
        ValueError: What was expected.
    """
    if link.queue is None and link.discipline is None and link.trace is None:
        return None
    if not rates_bps:
        raise ValueError("a link without a rate has no queue; say its rate")
    kind: QueueKind = "pfifo" if link.discipline in {None, "fifo"} else link.discipline  # type: ignore[assignment]
    written = 100 if link.queue is None else link.queue
    if isinstance(written, int):
        limit = written
    else:
        limit = _bytes_of(written, min(rates_bps))
        if limit < _FULL_PACKET_BYTES:
            raise ValueError(
                f"a full packet of {_FULL_PACKET_BYTES} bytes never fits into {limit}, got {written!r}; say more"
            )
        if kind == "pfifo":
            kind = "bfifo"
        elif kind != "red":
            limit = max(1, limit // _FULL_PACKET_BYTES)  # these count packets
    if kind == "red" and isinstance(written, int):
        limit *= _FULL_PACKET_BYTES  # it counts bytes
    most = _MOST_PACKETS * (_FULL_PACKET_BYTES if kind in {"bfifo", "red"} else 1)
    if kind == "red" and not LEAST_RED_BYTES <= limit <= MOST_RED_BYTES:
        raise ValueError(
            f"expected a queue of {LEAST_RED_BYTES} to {MOST_RED_BYTES} bytes for red, got {written!r}: {limit} bytes"
        )
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
        raise ValueError(f"expected {_QUEUES}, got {shown(written)}") from None
