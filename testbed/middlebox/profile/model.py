"""A full description of a censor, resolved for a date: what it reads, what it looks for, what it does, how long.

docs/reference/profile.md has every key of a profile file. What the annotations here cannot say is checked on the host,
by `testbed.scenario.censor`: a guest takes its profile from the plan as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Literal

from testbed.middlebox.actions import ACTIONS, Action
from testbed.middlebox.described import Described
from testbed.middlebox.packet import Direction
from testbed.middlebox.profile.metering import MeterChoice
from testbed.middlebox.profile.rules import Rule
from testbed.middlebox.recognise import PROTOCOLS
from testbed.middlebox.written import Directions, PacketRange, Seconds, Text, numbers, size, whole, words
from testbed.quantities import Share, Written, shown

__all__ = ["FlowLimits", "Inspection", "Instant", "LineKinds", "Placement", "Profile", "Trigger"]

_LONGEST_PAYLOAD = 65_535
_LARGEST_TABLE = 10_000_000  # some gigabytes
_MOST_PORTS = 65_535


def _read_instant(written: object) -> str | None:
    """Return an instant with its time zone, as text: YAML makes a date of what looks like one."""
    if isinstance(written, date):  # as a datetime is too
        written = written.isoformat().replace("+00:00", "Z")
    if written is None:
        return None
    try:
        instant = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise ValueError(f"{shown(written)} is no instant; expected one like 2021-03-10T07:00:00Z")
    if instant.tzinfo is None:
        raise ValueError(f"{shown(written)} has no time zone; write Z for UTC")
    return str(written)


Instant = Annotated[str | None, Written(_read_instant, {"type": ["string", "null"], "format": "date-time"})]
"""An instant, ISO 8601 with its zone; None: open."""


def _read_presence(written: object) -> bool:
    if isinstance(written, int | float) and not isinstance(written, bool):
        if written in {0, 1}:
            return bool(written)
        raise ValueError(f"{shown(written)} of a line cannot have a box; write 1 or 0, and tspu: false in the scenario")
    raise ValueError(f"expected 1 or 0, got {shown(written)}")


_Presence = Annotated[bool, Written(_read_presence, {"enum": [0, 1]})]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineKinds(Described):
    """Which kinds of access lines have the box; the others are spared."""

    mobile: _Presence = False
    landline: _Presence = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement(Described):
    """Where the box stands, and which directions pass it."""

    lines: LineKinds
    sees: Directions = frozenset(Direction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(Described):
    """What makes the box look at a flow, and at what. No ``ports``: any."""

    recognisers: Annotated[tuple[str, ...], words(*PROTOCOLS, may_be_empty=True)]
    names_from: Annotated[tuple[str, ...], words(*PROTOCOLS, may_be_empty=True)]
    directions: Directions
    opened_from: Literal["inside", "any"]
    midstream: Literal["ignore", "first_packet"]
    share: Share
    ports: Annotated[frozenset[int], numbers(1, _MOST_PORTS)] = frozenset()
    remote_syn: Literal["ignored", "ends_inspection"] = "ignored"
    address_rules: Literal["open", "hello"] = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection(Described):
    """How long and how closely the box reads."""

    budget_packets: PacketRange
    give_up_bytes: Annotated[int, size(1, _LONGEST_PAYLOAD)]
    reassembly: Literal["none", "in_order", "segments", "records"]
    fragments: Literal["pass", "drop", "hold", "reassemble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLimits(Described):
    """How long flows are remembered, and how many."""

    idle_timeout_s: Seconds
    cleared_by: Annotated[tuple[str, ...], words("fin", "rst", may_be_empty=True)]
    table_size: Annotated[int, whole(1, _LARGEST_TABLE)]
    syn_sent_timeout_s: Seconds | None = None
    syn_received_timeout_s: Seconds | None = None


# What a box has that meters a whole line: it reads nothing and remembers no flow.
_READ_NOTHING = Trigger(
    recognisers=(), names_from=(), directions=frozenset(Direction), opened_from="any", midstream="first_packet",
    share=1.0,
)  # fmt: skip
_INSPECT_NOTHING = Inspection(budget_packets=(0, 0), give_up_bytes=1, reassembly="none", fragments="pass")
_REMEMBER_NOTHING = FlowLimits(idle_timeout_s=1.0, cleared_by=(), table_size=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(Described):
    """A censor, resolved for a date.

    ``trigger``, ``inspection`` and ``flows`` are missing from the description of a box that meters a whole line, and
    from that alone.
    """

    name: Text
    family: Text
    summary: Text
    valid_from: Instant = None
    valid_until: Instant = None
    placement: Placement
    trigger: Trigger = _READ_NOTHING
    rules: tuple[Rule, ...]
    exempt: tuple[Rule, ...] = ()
    inspection: Inspection = _INSPECT_NOTHING
    flows: FlowLimits = _REMEMBER_NOTHING
    action: Annotated[Action, ACTIONS]
    meter: MeterChoice | None = None

    def with_meter(self, kind: str) -> Profile:
        """Return the same censor with another of the meters that its profile describes.

        Raises:
            KeyError: It describes no such meter.
        """
        if self.meter is None:
            raise KeyError(kind)
        return replace(self, meter=self.meter.with_kind(kind))
