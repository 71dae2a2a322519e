"""What a plan says of single links."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

__all__ = ["LinkPlan", "PolicerPlan", "QueueKind", "QueuePlan", "TracePlan"]

QueueKind = Literal["pfifo", "bfifo", "codel", "fq_codel", "red"]
"""The kernel's names of the queues that a link may have."""


class QueuePlan(TypedDict):
    """What waits for a link: the kernel's name of the queue, and its limit (bytes of ``bfifo``, else packets)."""

    kind: QueueKind
    limit: int


class PolicerPlan(TypedDict):
    """What a link polices: bit/s, and the bytes that may come at once."""

    rate_bps: int
    burst: int


class TracePlan(TypedDict):
    """A rate that follows a trace, over and over.

    Keys:
        times_s: Beginnings of the steps, from 0 on, ascending.
        rates_bps: Of the steps.
        period_s: When the trace begins again.
    """

    times_s: list[float]
    rates_bps: list[int]
    period_s: float


class LinkPlan(TypedDict):
    """What is said of one link. What is missing stays as the topology has it.

    Keys:
        between: Its two nodes.
        toward: The node in whose direction it holds; missing: both ways.
        seed: Of its draws.
        loss, duplicate, reorder: Shares of packets.
        burst: Mean number of packets that are lost in a row.
        keeps_order: Jitter leaves the order of packets as it is.
        natural: It is natural variation, and no impairment.
        policer: Of what is sent, before it waits for the link.
        trace: How its rate goes on from the first, ``rate_bps``.
    """

    between: list[str]
    seed: int
    toward: NotRequired[str]
    delay_s: NotRequired[float]
    jitter_s: NotRequired[float]
    loss: NotRequired[float]
    burst: NotRequired[float]
    duplicate: NotRequired[float]
    reorder: NotRequired[float]
    keeps_order: NotRequired[bool]
    natural: NotRequired[bool]
    rate_bps: NotRequired[int]
    queue: NotRequired[QueuePlan]
    trace: NotRequired[TracePlan]
    policer: NotRequired[PolicerPlan]
