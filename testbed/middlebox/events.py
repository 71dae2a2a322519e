"""What the middlebox reports. The log of these events is the ground truth of a run.

Every event carries the time of the packet (or timer) that caused it, in integer nanoseconds on the caller's clock, and
the number of its flow, counted from 1. `event_to_json` and `event_from_json` are each other's inverse.
Not for: writing files; the run directory does that.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from testbed.middlebox.packet import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testbed.records.jsonl import Json
    from testbed.records.truth import Effect

__all__ = [
    "BlockingStarted",
    "Event",
    "FlowForgotten",
    "FlowOpened",
    "HelloSeen",
    "HelloUnread",
    "InspectionEnded",
    "PacketDelayed",
    "PacketDropped",
    "PacketHeld",
    "PacketInjected",
    "PacketRewritten",
    "ProfileChanged",
    "RuleMatched",
    "ThrottlingStarted",
    "event_from_json",
    "event_name",
    "event_to_json",
]

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have: when, and in which flow."""

    t_ns: int
    flow: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowOpened(Event):
    """First packet of a flow. ``opened_by``: "inside", "outside", or "unknown" (it began before the box saw it)."""

    protocol: str
    inside: str
    inside_port: int
    outside: str
    outside_port: int
    community_id: str
    opened_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloSeen(Event):
    """A name was read: of a ClientHello, or of what ``protocol`` says. ``sni`` is None where the hello has none."""

    protocol: str
    sni: str | None
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloUnread(Event):
    """The box gives up a flow in which a hello began, or was expected, and no name was read. At most once a flow.

    It says nothing about what happens to the flow: nothing does. ``protocol`` is "tls", "http", "quic" or None (not
    known); ``packets`` and ``bytes`` are what the box has seen of the hello, ``size`` what its own header says (None:
    not known). ``reason``: "spans packets", "spans records", "behind another record", "malformed" (for this parser),
    "no name", "in IP fragments", "unknown version", "too short" (QUIC) or "not recognised".
    """

    protocol: str | None
    reason: str
    direction: Direction
    packets: int
    bytes: int
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMatched(Event):
    """A rule of the profile matched. ``sni`` is None for rules about addresses."""

    rule: str
    pattern: str
    sni: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottlingStarted(Event):
    """From now on the flow is metered. The packet that caused this is not metered itself.

    ``meter`` is the meter's kind, ``effect`` what it means for the flow (a quota ends it); ``up`` and ``down`` are its
    parameters in each direction, None where it does not act.
    """

    meter: str
    effect: Effect
    up: dict[str, float] | None
    down: dict[str, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockingStarted(Event):
    """From now on the flow is interfered with by ``action``; for ``residual_s`` seconds, or (None) until it is idle.

    ``effect`` is what that means for the flow.
    """

    action: str
    effect: Effect
    residual_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketDropped(Event):
    """The box dropped this packet. ``reason`` is the meter's kind or the action that did it."""

    direction: Direction
    seq: int
    ack: int
    payload_length: int
    ip_id: int
    length: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketDelayed(Event):
    """The box sends this packet on only ``delay_ns`` later. ``reason`` is the shaper or action that does it."""

    direction: Direction
    seq: int
    payload_length: int
    ip_id: int
    length: int
    delay_ns: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketHeld(Event):
    """The box keeps this IP fragment until its datagram is complete, and then sends on all of them.

    They come out as `PacketInjected`; a datagram that is never completed stays held.
    """

    direction: Direction
    ip_id: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketInjected(Event):
    """The box sends a datagram of its own making, ``data``, in this direction."""

    direction: Direction
    flags: int
    seq: int
    ack: int
    payload_length: int
    data: bytes
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketRewritten(Event):
    """The box sends on ``data`` in place of this packet, of ``length`` bytes."""

    direction: Direction
    seq: int
    ack: int
    ip_id: int
    length: int
    data: bytes
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionEnded(Event):
    """The box has decided and reads no further payload of this flow.

    ``reason``: "matched", "budget", "gave up", "opened from outside", "opener unknown", "not selected", "other port",
    "exempt" or "SYN from outside".
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowForgotten(Event):
    """All state of the flow is gone.

    ``reason``: "idle", "evicted", "residual time over", "fin", "rst" or "profile changed".
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChanged(Event):
    """From now on the box follows another profile, by name; None: it is a cable. It is about no flow: number 0.

    Flows that are acted on keep what was decided about them, unless it ``forgets``.
    """

    profile: str | None
    forgets: bool


_CLASSES: tuple[type[Event], ...] = (
    FlowOpened,
    HelloSeen,
    HelloUnread,
    RuleMatched,
    ThrottlingStarted,
    BlockingStarted,
    PacketDropped,
    PacketDelayed,
    PacketHeld,
    PacketInjected,
    PacketRewritten,
    InspectionEnded,
    FlowForgotten,
    ProfileChanged,
)


def _snake_case(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


_NAMES: dict[type[Event], str] = {cls: _snake_case(cls.__name__) for cls in _CLASSES}
_BY_NAME: dict[str, tuple[type[Event], Callable[..., Event]]] = {name: (cls, cls) for cls, name in _NAMES.items()}
# Asked for once: an event is written for every dropped packet.
_OWN_FIELDS: dict[type[Event], tuple[str, ...]] = {
    cls: tuple(field.name for field in fields(cls) if field.name not in {"t_ns", "flow"}) for cls in _CLASSES
}


def event_name(event: Event) -> str:
    """Return the event's name in JSON: "packet_dropped" for `PacketDropped`."""
    return _NAMES[type(event)]


def event_to_json(event: Event, *, start_ns: int = 0) -> dict[str, Json]:
    """Return an event as a JSON object.

    Args:
        event: The event.
        start_ns: The instant, on the clock of the event's ``t_ns``, that is ``t`` = 0.

    Returns:
        ``t`` (seconds since ``start_ns``), ``flow``, ``event``, then the event's own fields: a `TruthRecord` but for
        what whoever writes the log adds.
    """
    cls = type(event)
    result: dict[str, Json] = {"t": (event.t_ns - start_ns) / _NS_PER_S, "flow": event.flow, "event": _NAMES[cls]}
    for name in _OWN_FIELDS[cls]:
        value = getattr(event, name)
        if isinstance(value, Direction):
            value = value.value
        elif isinstance(value, bytes):
            # JSON has no bytes; base64 would be shorter, and nobody could read a header in it.
            value = value.hex()
        result[name] = value
    return result


def event_from_json(record: Mapping[str, object], *, start_ns: int = 0) -> Event:
    """The event that `event_to_json` wrote. Keys it does not know (``wall``, ``community_id``) are left to the reader.

    Args:
        record: One object of the log.
        start_ns: As given to `event_to_json`. Nanoseconds survive for 26 days after it (2**51 ns).

    Raises:
        ValueError: The object is no event, or lacks a field.
    """
    found = _BY_NAME.get(str(record.get("event")))
    if found is None:
        raise ValueError(f"unknown event {record.get('event')!r}; expected one of {', '.join(_BY_NAME)}")
    cls, make = found
    try:
        values = {name: record[name] for name in _OWN_FIELDS[cls]}
        if "direction" in values:
            values["direction"] = Direction(values["direction"])
        if "data" in values:
            values["data"] = bytes.fromhex(str(values["data"]))
        t_s = record["t"]
        if isinstance(t_s, int | float):
            return make(t_ns=start_ns + round(t_s * _NS_PER_S), flow=record["flow"], **values)
    except KeyError as error:
        raise ValueError(f"event {record['event']} lacks the field {error.args[0]!r}") from error
    raise ValueError(f"event {record['event']}: expected seconds as t, got {t_s!r}")
