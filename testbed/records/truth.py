"""Lines of ``truth.jsonl``: what boxes did, packet by packet, and which links failed. The ground truth of a run.

The middlebox has the same events as dataclasses (`testbed.middlebox.events`); these are their records.
"""

from __future__ import annotations

from typing import Literal, TypedDict

__all__ = [
    "BlockingStartedRecord", "Effect", "FlowForgottenRecord", "FlowOpenedRecord", "HelloSeenRecord",
    "HelloUnreadRecord", "InspectionEndedRecord", "LinkRecord", "PacketDelayedRecord", "PacketDroppedRecord",
    "PacketHeldRecord", "PacketInjectedRecord", "PacketRecord", "PacketRewrittenRecord", "ProfileChangedRecord",
    "RuleMatchedRecord", "ThrottlingStartedRecord", "TruthRecord", "Way",
]  # fmt: skip

Effect = Literal["slows", "ends", "alters"]
"""What an action means for a flow that it is done to: slower, over, or changed in what it carries. Only a flow that is
slowed down is throttled."""

Way = Literal["up", "down"]
"""From the client, or to it."""


class _Record(TypedDict):
    """What every record has.

    Keys:
        t: Seconds since the start of the run.
        wall: The same instant in the emulated calendar, ISO 8601.
        box: The box that tells; None where a link changed.
        flow: The box's number of the flow, from 1; 0: a fragment, or a whole line.
        community_id: Community ID of the flow's five-tuple; None where there is none.
    """

    t: float
    wall: str
    box: str
    flow: int
    community_id: str | None


class LinkRecord(TypedDict):
    """A link failed, is impaired, or is back. ``about``: why, in the scenario's words."""

    t: float
    wall: str
    box: None
    flow: None
    event: Literal["link_failed", "link_impaired", "link_restored"]
    link: list[str]
    about: str


class FlowOpenedRecord(_Record):
    """First packet of a flow, with its two ends."""

    event: Literal["flow_opened"]
    protocol: str
    inside: str
    inside_port: int
    outside: str
    outside_port: int
    opened_by: str


class HelloSeenRecord(_Record):
    """A name was read; ``sni`` is None where the hello has none."""

    event: Literal["hello_seen"]
    protocol: str
    sni: str | None
    direction: Way


class HelloUnreadRecord(_Record):
    """The box gave a flow up without having read a name, and why."""

    event: Literal["hello_unread"]
    protocol: str | None
    reason: str
    direction: Way
    packets: int
    bytes: int
    size: int | None


class RuleMatchedRecord(_Record):
    """A rule of the profile matched."""

    event: Literal["rule_matched"]
    rule: str
    pattern: str
    sni: str | None


class ThrottlingStartedRecord(_Record):
    """From now on the flow is slowed down, or counted. ``up``, ``down``: the meter's parameters; None: not that way."""

    event: Literal["throttling_started"]
    meter: str
    effect: Effect
    up: dict[str, float] | None
    down: dict[str, float] | None


class BlockingStartedRecord(_Record):
    """From now on the flow is interfered with, for ``residual_s`` seconds or (None) until it is idle."""

    event: Literal["blocking_started"]
    action: str
    effect: Effect
    residual_s: float | None


class PacketDroppedRecord(_Record):
    """The box dropped this packet."""

    event: Literal["packet_dropped"]
    direction: Way
    seq: int
    ack: int
    payload_length: int
    ip_id: int
    length: int
    reason: str


class PacketDelayedRecord(_Record):
    """The box sent this packet on ``delay_ns`` later."""

    event: Literal["packet_delayed"]
    direction: Way
    seq: int
    payload_length: int
    ip_id: int
    length: int
    delay_ns: int
    reason: str


class PacketHeldRecord(_Record):
    """The box kept this IP fragment until its datagram was complete."""

    event: Literal["packet_held"]
    direction: Way
    ip_id: int
    offset: int
    length: int


class PacketInjectedRecord(_Record):
    """The box sent a datagram of its own making; ``data`` is hexadecimal."""

    event: Literal["packet_injected"]
    direction: Way
    flags: int
    seq: int
    ack: int
    payload_length: int
    data: str
    reason: str


class PacketRewrittenRecord(_Record):
    """The box sent ``data`` (hexadecimal) in place of this packet."""

    event: Literal["packet_rewritten"]
    direction: Way
    seq: int
    ack: int
    ip_id: int
    length: int
    data: str
    reason: str


class InspectionEndedRecord(_Record):
    """The box has decided, and reads no further payload of this flow."""

    event: Literal["inspection_ended"]
    reason: str


class FlowForgottenRecord(_Record):
    """All state of the flow is gone."""

    event: Literal["flow_forgotten"]
    reason: str


class ProfileChangedRecord(_Record):
    """From now on the box follows another profile, by name; None: it is a cable. Its flow is 0."""

    event: Literal["profile_changed"]
    profile: str | None
    forgets: bool


PacketRecord = (
    PacketDroppedRecord | PacketDelayedRecord | PacketHeldRecord | PacketInjectedRecord | PacketRewrittenRecord
)

TruthRecord = (
    LinkRecord
    | FlowOpenedRecord
    | HelloSeenRecord
    | HelloUnreadRecord
    | RuleMatchedRecord
    | ThrottlingStartedRecord
    | BlockingStartedRecord
    | PacketRecord
    | InspectionEndedRecord
    | FlowForgottenRecord
    | ProfileChangedRecord
)
