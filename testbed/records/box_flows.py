"""What boxes did, by flow and by line: their log taken in once, and asked for each transfer.

A client knows addresses, ports and times; a box knows flows. They meet where both know the client's end of a
connection: address, port, and a time. None of these is unique by itself: a port is used again, a box forgets a flow
and meets it anew, and two boxes on one line both have the flow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from testbed.records.box_plan import profile_at
from testbed.records.influence import RULE_TRIGGERS, Span, planned_influence
from testbed.records.measurements import instant

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from testbed.records.box_plan import BoxPlan
    from testbed.records.influence import Influence, Trigger
    from testbed.records.measurements import ClientEvents, Connected, Download
    from testbed.records.plan import TransferPlan
    from testbed.records.truth import (
        Effect,
        FlowOpenedRecord,
        HelloUnreadRecord,
        ThrottlingStartedRecord,
        TruthRecord,
        Way,
    )

__all__ = ["BoxFlows", "FlowTruth"]

_WAYS: Final[Mapping[str, Way]] = {"download": "down", "upload": "up"}

_TOUCHES: Final = {"packet_dropped", "packet_delayed", "packet_held", "packet_injected", "packet_rewritten"}

_SHAKING: Final = {"fetch", "upload", "curl"}

_HELLOS = {
    "spans records": "hello in several records", "behind another record": "hello behind another record",
    "malformed": "hello malformed for its parser", "no name": "hello without a name",
    "in IP fragments": "hello in IP fragments", "unknown version": "hello of an unknown version of QUIC",
    "too short": "hello in a datagram that is too short",
}  # fmt: skip


def hello_in_words(record: HelloUnreadRecord) -> str | None:
    """Return why a box did not find the name in a hello, or None where there was no hello to be found."""
    reason = record["reason"]
    if reason == "spans packets":
        # A box that gives up has seen some of the packets, and cannot know how many the others are.
        size, seen = record.get("size"), record["packets"]
        is_whole = size is not None and 0 < size <= record["bytes"]
        return f"hello in {seen} packets" if is_whole and seen > 1 else f"hello in {max(seen + 1, 2)} packets or more"
    if reason == "not recognised":
        return None
    return _HELLOS.get(reason, f"hello: {reason}")


@dataclass(slots=True)
class FlowTruth:
    """What a box says of a flow, or of a whole line. Nothing, if it is as it was made.

    Attributes:
        protocol: tcp or udp.
        named: Whether the rule matched by a name that was in this flow; one that matched by a taint did not.
        acts_from: When the action began.
        touched: When packets were dropped, delayed, rewritten, held or injected.
    """

    box: str = ""
    opened: float = 0.0
    forgotten: float | None = None
    action: str | None = None
    effect: Effect | None = None
    rule: str | None = None
    drops: int = 0
    hello: str | None = None
    protocol: str = ""
    named: bool = True
    acts_from: float | None = None
    touched: list[float] = field(default_factory=list)

    def note(self, record: TruthRecord) -> None:
        """Take in what a later event says."""
        match record["event"]:
            case "hello_unread":
                self.hello = hello_in_words(record)
            case "rule_matched":
                self.rule, self.named = record["rule"], record.get("sni", "") is not None
            case "throttling_started":
                self.action, self.effect, self.acts_from = record["meter"], record.get("effect"), record["t"]
            case "blocking_started":
                self.action, self.effect, self.acts_from = record["action"], record.get("effect"), record["t"]
            case "packet_dropped":
                self.drops += 1
                self.touched.append(record["t"])
            case "packet_delayed" | "packet_held" | "packet_injected" | "packet_rewritten":
                self.touched.append(record["t"])
            case "flow_forgotten":
                self.forgotten = record["t"]


@dataclass(slots=True)
class LineTruth:
    """What a box does to all traffic of a line, in which directions, until when, and when it touched packets."""

    box: str
    began: float
    doing: FlowTruth
    directions: set[Way]
    ended: float | None = None
    drops: list[float] = field(default_factory=list)
    touched: list[float] = field(default_factory=list)


class BoxFlows:
    """The boxes' flows, by the client's end of the connection, and what boxes do to whole lines."""

    def __init__(self, truth: Iterable[TruthRecord], boxes: Mapping[str, BoxPlan]) -> None:
        self._boxes = boxes
        self._by_end: dict[tuple[str, int], list[FlowTruth]] = {}
        self._lines: dict[str, list[LineTruth]] = {}
        self._opened: dict[str, list[FlowOpenedRecord]] = {}  # by line
        known: dict[tuple[str, int], FlowTruth] = {}  # boxes number their flows by themselves, each from 1
        for record in truth:
            if record["box"] is None:
                continue  # of a link: it failed or came back, and no flow is its own
            if record["flow"] == 0 and record["box"] in boxes:
                self._note_line(record, boxes[record["box"]])
            if not record["flow"]:
                continue  # of a line, or of a fragment: no flow's own
            key = (record["box"], record["flow"])
            if record["event"] == "flow_opened":
                known[key] = FlowTruth(record["box"], record["t"], protocol=record.get("protocol", ""))
                self._by_end.setdefault((record["inside"], record["inside_port"]), []).append(known[key])
                if record["box"] in boxes:
                    self._opened.setdefault(boxes[record["box"]]["line"], []).append(record)
            else:
                known[key].note(record)

    def _note_line(self, record: TruthRecord, box: BoxPlan) -> None:
        known = self._lines.setdefault(box["line"], [])
        if record["event"] == "throttling_started":
            known.append(LineTruth(record["box"], record["t"], _line_action(record, box), _directions(record)))
        elif record["event"] in _TOUCHES:
            own = [each for each in known if each.box == record["box"]]  # another box may meter the same line
            for each in own[-1:]:
                each.touched.append(record["t"])
                if record["event"] == "packet_dropped":
                    each.drops.append(record["t"])
        elif record["event"] == "profile_changed":
            for each in known:
                if each.box == record["box"] and each.ended is None:
                    each.ended = record["t"]

    def of_line(self, transfer: TransferPlan, *, began: float, ended: float) -> FlowTruth | None:
        """Return what a box does to all traffic of a transfer's line, with the drops of that time.

        Of several, the one that touched packets is meant, and of these the one in the transfer's direction: a meter of
        the other direction slows a transfer, too, by its acknowledgements, but only if it drops some.
        """
        way = _WAYS[transfer["direction"]]
        known = [
            (any(began <= t <= ended for t in line.touched), way in line.directions, line.began, line)
            for line in self._meanwhile(transfer, began=began, ended=ended)
        ]
        known = [each for each in known if each[0] or each[1]]
        if not known:
            return None
        line = max(known, key=lambda each: each[:3])[3]
        return replace(line.doing, drops=sum(began <= t <= ended for t in line.drops))

    def attempt(self, transfer: TransferPlan, servers: Collection[str], spent: Span) -> Connected | None:
        """Return the connection that a transfer tried in vain to open, as a box on its line met it.

        A client that never was connected has not noted its end of the connection; its line, the server and the time
        say which it was. The first one is meant: the others are tried by others.

        Args:
            transfer: As planned.
            servers: Addresses of its server.
            spent: Its time.
        """
        for record in self._opened.get(transfer["line"], []):
            is_meant = record["outside"] in servers and record["protocol"] == "tcp"
            if is_meant and spent.from_s <= record["t"] <= spent.until_s:
                found: Connected = {
                    "event": "connected", "transfer": transfer["id"], "side": "client", "t": record["t"],
                    "local": (record["inside"], record["inside_port"]),
                    "remote": (record["outside"], record["outside_port"]),
                }  # fmt: skip
                return found
        return None

    def find(self, connected: Connected, download: Download | None, ended: float) -> FlowTruth | None:
        """Return the flow of a connection, with the drops of all flows that the same box saw in it.

        Of several boxes on one line, the box that acted is meant: one that let the flow pass says nothing about why it
        was slow.
        """
        found = self._of(connected, download, ended)
        acting = max(found, key=lambda flow: flow.action is not None, default=None)
        if acting is None:
            return None
        return replace(acting, drops=sum(flow.drops for flow in found if flow.box == acting.box))

    def _of(self, connected: Connected, download: Download | None, ended: float) -> list[FlowTruth]:
        """Return the flows of a connection, in the order in which boxes met them.

        The latest that was opened from its end before it was connected is its own. A box that begins to look later, or
        has forgotten the connection, meets it anew in its middle. Other flows from the same port belong to other
        connections.

        A QUIC flow is opened after its client is "connected", which for QUIC says only that its ends are known.

        Where a download began later, the flows are those that boxes remembered then, or took the download for: a box
        may forget an idle connection.
        """
        flows = self._by_end.get((connected["local"][0], connected["local"][1]), [])
        since = connected["t"]
        if connected.get("protocol") == "udp":
            # TCP has ports of its own: a connection from the same number is another.
            return _met_anew([], [flow for flow in flows if flow.protocol == "udp" and since <= flow.opened <= ended])
        flows = [flow for flow in flows if flow.protocol != "udp" or download is not None]
        if download is not None:
            return [flow for flow in flows if flow.forgotten is None or flow.forgotten > download["t"]]
        latest = {flow.box: flow for flow in flows if flow.opened <= since}
        return _met_anew(list(latest.values()), [flow for flow in flows if since < flow.opened <= ended])

    def _meanwhile(self, transfer: TransferPlan, *, began: float, ended: float) -> list[LineTruth]:
        return [
            line
            for line in self._lines.get(transfer["line"], [])
            if (line.ended is None or line.ended > began) and line.began <= ended
        ]

    def influences(
        self, transfer: TransferPlan, at: ClientEvents, spent: Span, *, shares_line: bool
    ) -> list[Influence]:
        """Return what boxes did to a transfer while it went on, in the order in which they began.

        Args:
            transfer: As planned.
            at: What its client noted.
            spent: Its time.
            shares_line: Whether other flows had the line at the same time: then nobody knows whose packets a meter of
                the whole line touched, and they are not counted.
        """
        flows = self._of(at["connected"], at.get("download"), spent.until_s) if "connected" in at else []
        handshake_s = _handshake_ends(transfer, at)
        found = [
            self._influence(flow, Span(flow.acts_from, _end(flow.forgotten)), spent, flow.touched, handshake_s)
            for flow in flows
            if flow.acts_from is not None and flow.acts_from <= spent.until_s
        ]
        for line in self._meanwhile(transfer, began=spent.from_s, ended=spent.until_s):
            touched = [t for t in line.touched if spent.from_s <= t <= spent.until_s]
            influence = self._influence(line.doing, Span(line.began, _end(line.ended)), spent, touched, handshake_s)
            if shares_line and touched:
                influence["packets"] = None
            found.append(influence)
        return sorted(found, key=lambda each: each["from_s"])

    def _influence(
        self, flow: FlowTruth, acts: Span, spent: Span, touched: list[float], handshake_s: float | None
    ) -> Influence:
        return {
            **planned_influence("censor", flow.box, flow.action or "", acts, spent),
            "effect": flow.effect, "on": self._trigger(flow, acts.from_s), "rule": flow.rule, "packets": len(touched),
            "only_handshake": bool(touched) and _is_over(touched, flow.action, handshake_s),
        }  # fmt: skip

    def _trigger(self, flow: FlowTruth, t: float) -> Trigger:
        """Return what the rule goes by that a box acted on; where its profile has no such rule, on everything."""
        profile = profile_at(self._boxes[flow.box], t) if flow.box in self._boxes else None
        for rule in [] if profile is None else profile["rules"]:
            if rule["id"] == flow.rule:
                trigger: Trigger = next((by for key, by in RULE_TRIGGERS.items() if key in rule), "everything")
                # A name tainted the address before, in another flow: this one was acted on for its address.
                return "address" if trigger == "name" and not flow.named else trigger
        return "everything"


def _is_over(touched: list[float], action: str | None, handshake_s: float | None) -> bool:
    """Return whether all that was touched came before the end of the handshake."""
    # A rate that starves a handshake would have starved what follows, too; a delay may be meant for handshakes alone.
    if handshake_s == math.inf and action != "delay":
        return False
    return handshake_s is not None and max(touched) <= handshake_s


def _handshake_ends(transfer: TransferPlan, at: ClientEvents) -> float | None:
    """Return when the TLS handshake ended; infinity: it never did; None: there was none, or nobody noted its end."""
    if "handshake" in at:
        return instant(at["handshake"])
    # These clients note the end of each handshake: where none did, the connection died in it.
    return math.inf if transfer["kind"] in _SHAKING else None


def _met_anew(found: list[FlowTruth], later: list[FlowTruth]) -> list[FlowTruth]:
    """Return flows of a connection with those that boxes met in its middle, for they knew it no longer, or not yet."""
    last = {flow.box: flow for flow in found}
    for flow in later:
        before = last.get(flow.box)
        if before is None or (before.forgotten is not None and before.forgotten <= flow.opened):
            found.append(flow)
            last[flow.box] = flow
    return found


def _end(instant: float | None) -> float:
    """Return when something ended; of what goes on, never."""
    return math.inf if instant is None else instant


def _line_action(record: ThrottlingStartedRecord, box: BoxPlan) -> FlowTruth:
    profile = profile_at(box, record["t"])
    # A profile that meters a whole line has one rule alone. Without a profile nothing would have been metered.
    rule = None if profile is None else profile["rules"][0]["id"]
    return FlowTruth(record["box"], action=record["meter"], effect=record.get("effect"), rule=rule)


def _directions(record: ThrottlingStartedRecord) -> set[Way]:
    parameters: dict[Way, dict[str, float] | None] = {"up": record["up"], "down": record["down"]}
    return {way for way, found in parameters.items() if found is not None}
