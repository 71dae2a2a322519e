"""A full description of a censor, resolved for a date: what it reads, what it looks for, what it does, how long.

`Profile.from_dict` takes plain data (mappings, lists, numbers, strings) and is strict: an unknown or missing key, a
value out of range and a combination that cannot be honoured are refused with the dotted key. Files, line numbers and
the choice by date are the host's business; `testbed.middlebox.profile.evidence` has the pure part of that.

A profile file (``profiles/*.yaml``), in which every leaf is ``{value, grade, source}`` (see `evidence`); keys in
brackets may be left out::

    name: ru-tw-2021a            # unique; the file's stem
    family: ru-tw-2021           # profiles of one family differ by date; a date and a family name select one
    [based_on: ru-tw-2021a]      # take everything from there, replace what is said here (lists whole)
    summary: one line
    [valid_from, valid_until]    # instants, ISO 8601 with Z; from inclusive, until exclusive; null: open
    placement:                   # for the scenario; the box itself minds ``sees`` alone
      lines                      # mobile, landline -> 1: lines of this kind have the box; 0: they are spared
      [sees]                     # [up, down]: directions that pass the box; [up] on asymmetric routes
    trigger:                     # not for scope line, which reads nothing
      recognisers                # in order of trial: tls, http, http_proxy, socks; over UDP: quic, quic_version1
      names_from                 # those whose names are looked up in the rules
      directions                 # [up, down]: which way the hello may travel
      opened_from                # inside | any: which connections are inspected
      midstream                  # ignore | first_packet: a flow that began unseen: whoever sent its first packet
      share                      # 0-1 of flows, drawn per flow, that pass the box at all
      [ports]                    # of the outside; other flows are not inspected
      [remote_syn]               # ignored | ends_inspection: a SYN from outside on a flow opened from inside
      [address_rules]            # open | hello: whether a server's address matches by itself, or only with a hello
    rules                        # list of {id, KIND: [patterns], grade, source}; KIND is exact, suffix, substring,
                                 # regex, address, protocol (a recogniser's name: whatever it recognises) or any
    [exempt]                     # the same; a flow that matches here is left alone
    inspection:                  # not for scope line
      budget_packets             # [least, most] payload packets read after the first, uniform draw per flow
      give_up_bytes              # an unrecognised payload of this size or more ends inspection
      reassembly                 # none: one packet alone is read; in_order: segments of a TLS record as they come, if
                                 # the first has its header; segments: TCP streams; records: TLS records too
      fragments                  # pass: metered, not read | drop | hold: until complete, not read | reassemble
    flows:                       # not for scope line, which remembers no flow
      idle_timeout_s             # a flow without packets is forgotten after this
      [syn_sent_timeout_s, syn_received_timeout_s]  # the same while a TCP handshake is not complete
      cleared_by                 # of [fin, rst]: flags that make the box forget the flow
      table_size                 # most flows remembered; the one closest to its timeout goes first
    action:
      kind                       # throttle | delay | drop | reset | rewrite | block_page
      directions                 # [up, down]: which way is acted upon
      scope                      # flow | subscriber | line: whose packets share the meters; line: stateless, rule any
      trigger_packet             # passes | dropped: what happens to the packet that matched. It is never metered, nor
                                 # delayed: throttle and delay let it pass
      [residual_s]               # the flow is forgotten this long after the match, whatever it sends
      after_packets              # drop only: [least, most] packets that still pass, uniform draw per flow
      reset_to                   # reset only: of [inside, outside]
      delay_s                    # delay only
      page                       # block_page only: HTML
    meter:                       # throttle only
      kind                       # which of the meters below
      counts                     # ip_length | payload | frame_length (IP and 14 bytes of Ethernet)
      token_bucket: {rate_bps, burst_bytes, [start_bytes]}  # start_bytes: in it at the match; default: full
      coarse_refill: {quantum_bytes, period_s, cap_bytes, phase_s}
      shaper: {rate_bps, burst_bytes, queue_bytes}
      random_pass: {pass_share}
      byte_quota: {quota_bytes}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from testbed.middlebox.enforcement.shaper import ShaperSpec
from testbed.middlebox.packet import Direction
from testbed.middlebox.profile.measures import METERED, ActionSpec, MeterChoice, MeterSpec, read_directions
from testbed.middlebox.profile.rules import NAME_KINDS, RULE_KINDS, Rule
from testbed.middlebox.profile.section import ProfileError, Section
from testbed.middlebox.recognise import PROTOCOLS, TCP_RECOGNISERS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LARGEST_TABLE", "LONGEST_PAYLOAD", "FlowLimits", "Inspection", "Placement", "Profile",
    "ProfileError", "Trigger",
]  # fmt: skip

_LINE_KINDS = ("mobile", "landline")
LONGEST_PAYLOAD = 65_535
LARGEST_TABLE = 10_000_000  # some gigabytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the box stands, and which directions pass it."""

    lines: dict[str, bool]
    sees: frozenset[Direction]

    @classmethod
    def read(cls, section: Section) -> Placement:
        """From the section ``placement``."""
        if section.has("hop"):
            raise section.error("hop", "where a box stands is said by the topology (box_after_hop); remove it")
        lines = section.section("lines")
        shares = {kind: _has_box(lines, kind) for kind in _LINE_KINDS if lines.has(kind)}
        lines.close()
        sees = section.choices("sees", tuple(each.value for each in Direction)) if section.has("sees") else None
        return cls(
            lines=shares,
            sees=frozenset(Direction if sees is None else map(Direction, sees)),
        )


def _has_box(lines: Section, kind: str) -> bool:
    share = lines.number(kind, least=0, most=1)
    if share not in {0, 1}:
        raise lines.error(kind, f"{share:g} of a line cannot have a box; write 1 or 0, and tspu: false in the scenario")
    return bool(share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What makes the box look at a flow, and at what."""

    recognisers: tuple[str, ...]
    names_from: frozenset[str]
    directions: frozenset[Direction]
    opened_from: str
    midstream: str
    share: float
    ports: frozenset[int]  # empty: any
    remote_syn: str
    address_rules: str

    @classmethod
    def read(cls, section: Section) -> Trigger:
        """From the section ``trigger``."""
        recognisers = section.choices("recognisers", PROTOCOLS, may_be_empty=True)
        names_from = section.choices("names_from", recognisers, may_be_empty=True)
        return cls(
            recognisers=recognisers,
            names_from=frozenset(names_from),
            directions=read_directions(section),
            opened_from=section.choice("opened_from", ("inside", "any")),
            midstream=section.choice("midstream", ("ignore", "first_packet")),
            share=section.number("share", least=0, most=1),
            ports=frozenset(section.integers("ports", least=1, most=65535) if section.has("ports") else ()),
            remote_syn=section.choice_or("remote_syn", ("ignored", "ends_inspection")),
            address_rules=section.choice_or("address_rules", ("open", "hello")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """How long and how closely the box reads."""

    budget_packets: tuple[int, int]
    give_up_bytes: int
    reassembly: str
    fragments: str

    @classmethod
    def read(cls, section: Section) -> Inspection:
        """From the section ``inspection``."""
        return cls(
            budget_packets=section.range("budget_packets", least=0),
            give_up_bytes=section.integer("give_up_bytes", least=1, most=LONGEST_PAYLOAD),
            reassembly=section.choice("reassembly", ("none", "in_order", "segments", "records")),
            fragments=section.choice("fragments", ("pass", "drop", "hold", "reassemble")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLimits:
    """How long flows are remembered, and how many."""

    idle_timeout_s: float
    syn_sent_timeout_s: float | None
    syn_received_timeout_s: float | None
    cleared_by: tuple[str, ...]
    table_size: int

    @classmethod
    def read(cls, section: Section) -> FlowLimits:
        """From the section ``flows``."""
        return cls(
            idle_timeout_s=section.seconds("idle_timeout_s"),
            syn_sent_timeout_s=section.seconds_or_none("syn_sent_timeout_s"),
            syn_received_timeout_s=section.seconds_or_none("syn_received_timeout_s"),
            cleared_by=section.choices("cleared_by", ("fin", "rst"), may_be_empty=True),
            table_size=section.integer("table_size", least=1, most=LARGEST_TABLE),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A censor, resolved for a date."""

    name: str
    family: str
    summary: str
    valid_from: str | None
    valid_until: str | None
    placement: Placement
    trigger: Trigger
    rules: tuple[Rule, ...]
    exempt: tuple[Rule, ...]
    inspection: Inspection
    flows: FlowLimits
    action: ActionSpec
    metering: MeterChoice | None

    @property
    def meter(self) -> MeterSpec | None:
        """The meter that is used; None if the action needs none."""
        return None if self.metering is None else self.metering.spec

    def with_meter(self, kind: str) -> Profile:
        """The same censor with another of the meters that its profile describes.

        Raises:
            KeyError: it describes no such meter.
        """
        if self.metering is None or kind not in self.metering.described:
            raise KeyError(kind)
        return replace(self, metering=self.metering.with_kind(kind))

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Profile:
        """Build a profile from plain data (`evidence.plain_values` of a profile file).

        Raises:
            ProfileError: the data is not a profile; ``key`` says where.
        """
        top = Section(plain)
        action = top.read("action", ActionSpec.read)
        if action.kind != METERED and top.has("meter"):
            raise top.error("meter", f"an action of kind {action.kind} has no use for a meter; remove it")
        is_stateless = action.scope == "line"
        for key in ("trigger", "inspection", "flows", "exempt") if is_stateless else ():
            if top.has(key):
                raise top.error(key, "a box that meters a whole line reads nothing and remembers no flow; remove it")
        profile = cls(
            name=top.text("name"),
            family=top.text("family"),
            summary=top.text("summary"),
            valid_from=top.text_or_none("valid_from"),
            valid_until=top.text_or_none("valid_until"),
            placement=top.read("placement", Placement.read),
            trigger=_READ_NOTHING if is_stateless else top.read("trigger", Trigger.read),
            rules=tuple(_rule(each) for each in top.sections("rules")),
            exempt=tuple(_rule(each) for each in top.sections("exempt")) if top.has("exempt") else (),
            inspection=_INSPECT_NOTHING if is_stateless else top.read("inspection", Inspection.read),
            flows=_REMEMBER_NOTHING if is_stateless else top.read("flows", FlowLimits.read),
            action=action,
            metering=top.read("meter", MeterChoice.read) if action.kind == METERED else None,
        )
        top.close()
        _check_dates(profile.valid_from, profile.valid_until)
        _check_trigger(profile.trigger)
        _check_rules(profile)
        _check_action(profile)
        return profile


# What a box has that meters a whole line.
_READ_NOTHING = Trigger(
    recognisers=(), names_from=frozenset(), directions=frozenset(Direction), opened_from="any",
    midstream="first_packet", share=1.0, ports=frozenset(), remote_syn="ignored", address_rules="open",
)  # fmt: skip
_INSPECT_NOTHING = Inspection(budget_packets=(0, 0), give_up_bytes=1, reassembly="none", fragments="pass")
_REMEMBER_NOTHING = FlowLimits(
    idle_timeout_s=1.0, syn_sent_timeout_s=None, syn_received_timeout_s=None, cleared_by=(), table_size=1
)


def _check_rules(profile: Profile) -> None:
    """Refuse rules that could never match."""
    trigger = profile.trigger
    numbered = [("rules", *each) for each in enumerate(profile.rules)]
    numbered += [("exempt", *each) for each in enumerate(profile.exempt)]
    for part, index, rule in numbered:
        key = f"{part}.{index}.{rule.kind}"
        if rule.kind in NAME_KINDS and not trigger.names_from:
            raise ProfileError(key, "no name is ever read; add its recogniser to trigger.names_from")
        unknown = set(rule.patterns) - set(trigger.recognisers) if rule.kind == "protocol" else set()
        if unknown:
            raise ProfileError(key, f"{min(unknown)} is not among trigger.recognisers")


def _check_trigger(trigger: Trigger) -> None:
    """Refuse what could never trigger."""
    only_datagrams = trigger.recognisers and not set(trigger.recognisers) & set(TCP_RECOGNISERS)
    if only_datagrams and Direction.UP not in trigger.directions:
        raise ProfileError("trigger.directions", "over UDP only the client's datagrams are read; add up")
    if trigger.address_rules == "hello" and not trigger.recognisers:
        raise ProfileError("trigger.address_rules", "there is no hello without trigger.recognisers; write open")


def _check_action(profile: Profile) -> None:
    """Refuse actions that could never be carried out."""
    action = profile.action
    blind = action.directions - profile.placement.sees
    if blind:
        raise ProfileError("action.directions", f"the box does not see {min(each.value for each in blind)}")
    if action.scope == "line" and [rule.kind for rule in profile.rules] != ["any"]:
        raise ProfileError("action.scope", "line is for all traffic: it needs one rule, of kind any")
    recognisers = set(profile.trigger.recognisers)
    if action.kind in {"reset", "rewrite", "block_page"} and recognisers and not recognisers & set(TCP_RECOGNISERS):
        raise ProfileError("action.kind", f"{action.kind} is for TCP, but the recognisers are for UDP")
    waits = action.kind == "delay" or isinstance(profile.meter, ShaperSpec)
    if profile.inspection.fragments == "reassemble" and waits:
        raise ProfileError(
            "inspection.fragments", "reassemble: fragments cannot wait where the whole datagram was judged"
        )
    if action.kind == "block_page" and "http" not in profile.trigger.names_from:
        raise ProfileError("action.kind", "a block page answers an HTTP request; add http to trigger.names_from")


def _check_dates(valid_from: str | None, valid_until: str | None) -> None:
    begin, end = _instant("valid_from", valid_from), _instant("valid_until", valid_until)
    if begin is not None and end is not None and begin >= end:
        raise ProfileError("valid_until", f"{valid_until} is not after valid_from {valid_from}; swap them")


def _instant(key: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ProfileError(key, f"{text!r} is no instant; expected one like 2021-03-10T07:00:00Z") from error
    if instant.tzinfo is None:
        raise ProfileError(key, f"{text!r} has no time zone; write Z for UTC")
    return instant


def _rule(section: Section) -> Rule:
    identity = section.text("id")
    kinds = [kind for kind in RULE_KINDS if kind in section.keys_left()]
    if len(kinds) != 1:
        raise section.error(None, f"expected exactly one of {', '.join(RULE_KINDS)}")
    kind = kinds[0]
    patterns = section.texts(kind)
    section.close()
    try:
        return Rule(identity, kind, patterns)
    except ValueError as error:
        raise section.error(kind, str(error)) from error
