"""The certificate of validity: what the guest and the comparison of its records found, and the checks made of it."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

__all__ = [
    "AgreementFound", "BoxCounters", "CaptureCounters", "Certificate", "Check", "CheckState", "GuestCertificate",
    "Lateness", "NetworkFound",
]  # fmt: skip

CheckState = Literal["passed", "failed", "not checked"]


class Check(TypedDict):
    """One check: its name, its state, and in words what was looked at and what was found."""

    check: str
    state: CheckState
    about: str


class BoxCounters(TypedDict):
    """What a box counted.

    Keys:
        queue_dropped: Packets that the kernel's queue to the box had no room for.
        user_dropped: Packets that the box could not be given.
        logged_drops: Packets that the kernel dropped on the box's order, as its log has them.
        evicted: Flows forgotten for want of room in the flow table.
        stopped_ns: When the box stopped, nanoseconds since 1970. Later packets are not compared.
    """

    queue_dropped: int
    user_dropped: int
    logged_drops: int
    evicted: int
    stopped_ns: int


class CaptureCounters(TypedDict):
    """Packets of one capture: written, and lost by the kernel for want of room."""

    captured: int
    dropped: int


class NetworkFound(TypedDict):
    """How many of each the network was read back with, all equal to the plan; and what a command changed later.

    ``ipv6_addresses``: only where the network has IPv6.
    """

    interfaces: int
    netem: int
    rates: int
    congestion_control: int
    ipv6_addresses: NotRequired[int]
    changed_by_command: NotRequired[list[str]]


class Lateness(TypedDict):
    """Timers in real time: how many were set, how many fired late, and by how many seconds the worst of them."""

    timers: int
    late: int
    worst_s: float


class AgreementFound(TypedDict):
    """A box's log beside the captures on its two sides; see `testbed.records.agreement`.

    Keys:
        dropped, logged: Drops by the captures and by the log.
        delayed, held, rewritten, injected: Packets of each kind by the log.
        only_captures, only_log: Drops that one of the two alone knows.
        unexplained: Packets that left the box and that neither entered it nor stand in its log.
        mistimed: Packets that left at another time than the log says.
        worst_s: The largest such difference, seconds.
        compared: Packets looked at.
        not_compared: Packets left out, by kind.
    """

    dropped: int
    logged: int
    delayed: int
    held: int
    rewritten: int
    injected: int
    only_captures: int
    only_log: int
    unexplained: int
    mistimed: int
    worst_s: float
    compared: int
    not_compared: dict[str, int]


class GuestCertificate(TypedDict):
    """The guest's part. ``lateness``: only where time is real; the last two: only where a command ran."""

    boxes: dict[str, BoxCounters]
    network: NetworkFound
    captures: dict[str, CaptureCounters]
    lateness: NotRequired[Lateness]
    command_began_s: NotRequired[float]
    command_status: NotRequired[int | None]


class Certificate(GuestCertificate):
    """The whole. ``lack_of_memory``: None, or in words what the guest's kernel said of it."""

    agreement: dict[str, AgreementFound]
    lack_of_memory: str | None
