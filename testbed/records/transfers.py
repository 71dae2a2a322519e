"""What each transfer came to: the client's measurements joined with the ground truth of its flow.

A client knows addresses, ports and times; a box knows flows. They meet where both know the client's end of a
connection: address, port, and a time. None of these is unique by itself: a port is used again, a box forgets a flow
and meets it anew, and two boxes on one line both have the flow.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypedDict

from testbed.records.box_plan import profile_at
from testbed.records.measurements import by_transfer, client_events, instant, received_bytes
from testbed.records.plan import planned_transfers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from testbed.records.box_plan import BoxPlan
    from testbed.records.manifest import TransferSummary
    from testbed.records.measurements import ClientEvents, Connected, Download, Measurement
    from testbed.records.plan import PlanDocument, TransferPlan
    from testbed.records.truth import HelloUnreadRecord, ThrottlingStartedRecord, TruthRecord, Way

__all__ = ["summarise_transfers"]

_WAYS: Final[Mapping[str, Way]] = {"download": "down", "upload": "up"}
# What an action means is said where it begins. One that does not say that it slows a flow down is no slowdown: a
# new one must not become one by being unknown here.
_SLOWS: Final = "slows"

_HELLOS = {
    "spans records": "hello in several records", "behind another record": "hello behind another record",
    "malformed": "hello malformed for its parser", "no name": "hello without a name",
    "in IP fragments": "hello in IP fragments", "unknown version": "hello of an unknown version of QUIC",
    "too short": "hello in a datagram that is too short",
}  # fmt: skip


def summarise_transfers(
    plan: PlanDocument, measurements: Iterable[Measurement], truth: Iterable[TruthRecord]
) -> list[TransferSummary]:
    """Return one summary a transfer, in the plan's order; recordings and probes have none.

    ``throttled``, ``action``, ``rule`` and ``drops`` are ground truth of the time between the client's SYN and the
    last byte. What a box does to the flow goes before what it does to the whole line, which counts only where
    nothing was done to the flow. A transfer that never began has the ``error`` "did not run".
    """
    records = by_transfer(measurements)
    flows = _Flows(truth, plan.get("boxes", {}))
    return [
        _summarise(transfer, records.get(transfer["id"], []), flows)
        for transfer in planned_transfers(plan)
        if transfer["kind"] not in {"record", "probe"}
    ]


def _summarise(transfer: TransferPlan, records: list[Measurement], flows: _Flows) -> TransferSummary:
    at = client_events(records)
    times, totals = received_bytes(records, "client" if transfer["direction"] == "download" else "server")
    started = at["started"]["t"] if "started" in at else None
    measured_from = at["download"]["t"] if "download" in at else started
    duration_s = None if measured_from is None or not times else times[-1] - measured_from
    received = totals[-1] if totals else 0
    connected, finished = at.get("connected"), at.get("finished")
    flow = flows.find(connected, at.get("download")) if connected else None
    # A box that meters a whole line does so to every flow of it. That counts where nothing was done to this one:
    # what was done to the flow says more.
    if times and (flow is None or flow.action is None):
        flow = flows.of_line(transfer, began=measured_from or 0.0, ended=times[-1]) or flow
    flow = flow or _Flow()
    return {
        "id": transfer["id"],
        "name": transfer["name"],
        "line": transfer["line"],
        "sni": transfer["sni"],
        "direction": transfer["direction"],
        "role": transfer["role"],
        "kind": transfer["kind"],
        **_published(transfer),
        "ok": bool(finished and finished["ok"]),
        "bytes": received,
        "start_s": started,
        "duration_s": duration_s,
        "goodput_bps": received * 8 / duration_s if duration_s else None,
        "handshake_s": _handshake_s(at),
        "throttled": flow.effect == _SLOWS,
        "action": flow.action,
        "rule": flow.rule,
        "drops": flow.drops,
        "hello": flow.hello if flow.action is None else None,
        "error": finished["error"] if finished else ("did not run" if started is None else "did not finish"),
    }


class _Published(TypedDict, total=False):
    published: str


def _published(transfer: TransferPlan) -> _Published:
    published = transfer.get("published")
    return {"published": published} if isinstance(published, str) and published else {}


def _handshake_s(at: ClientEvents) -> float | None:
    if "handshake" not in at or "connected" not in at:
        return None
    return instant(at["handshake"]) - instant(at["connected"])


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
class _Flow:
    """What a box says of a flow, or of a whole line. Nothing, if it is as it was made."""

    box: str = ""
    opened: float = 0.0
    forgotten: float | None = None
    action: str | None = None
    effect: str | None = None
    rule: str | None = None
    drops: int = 0
    hello: str | None = None

    def note(self, record: TruthRecord) -> None:
        """Take in what a later event says."""
        match record["event"]:
            case "hello_unread":
                self.hello = hello_in_words(record)
            case "rule_matched":
                self.rule = record["rule"]
            case "throttling_started":
                self.action, self.effect = record["meter"], record.get("effect")
            case "blocking_started":
                self.action, self.effect = record["action"], record.get("effect")
            case "packet_dropped":
                self.drops += 1
            case "flow_forgotten":
                self.forgotten = record["t"]


@dataclass(slots=True)
class _Line:
    """What a box does to all traffic of a line, in which directions, until when, and when it dropped packets."""

    box: str
    began: float
    doing: _Flow
    directions: set[Way]
    ended: float | None = None
    drops: list[float] = field(default_factory=list)


class _Flows:
    """The boxes' flows, by the client's end of the connection, and what boxes do to whole lines."""

    def __init__(self, truth: Iterable[TruthRecord], boxes: Mapping[str, BoxPlan]) -> None:
        self._by_end: dict[tuple[str, int], list[_Flow]] = {}
        self._lines: dict[str, list[_Line]] = {}
        known: dict[tuple[str, int], _Flow] = {}  # boxes number their flows by themselves, each from 1
        for record in truth:
            if record["box"] is None:
                continue  # of a link: it failed or came back, and no flow is its own
            if record["flow"] == 0 and record["box"] in boxes:
                self._note_line(record, boxes[record["box"]])
            if not record["flow"]:
                continue  # of a line, or of a fragment: no flow's own
            key = (record["box"], record["flow"])
            if record["event"] == "flow_opened":
                known[key] = _Flow(record["box"], record["t"])
                self._by_end.setdefault((record["inside"], record["inside_port"]), []).append(known[key])
            else:
                known[key].note(record)

    def _note_line(self, record: TruthRecord, box: BoxPlan) -> None:
        known = self._lines.setdefault(box["line"], [])
        if record["event"] == "throttling_started":
            known.append(_Line(record["box"], record["t"], _line_action(record, box), _directions(record)))
        elif record["event"] == "packet_dropped" and known:
            known[-1].drops.append(record["t"])
        elif record["event"] == "profile_changed":
            for each in known:
                if each.box == record["box"] and each.ended is None:
                    each.ended = record["t"]

    def of_line(self, transfer: TransferPlan, *, began: float, ended: float) -> _Flow | None:
        """Return what a box does to all traffic of a transfer's line in its direction, with the drops of that time."""
        # The latest that lasted into the time of the transfer: an earlier one ended when the box's profile changed.
        meanwhile = [
            line
            for line in self._lines.get(transfer["line"], [])
            if (line.ended is None or line.ended > began) and line.began <= ended
        ]
        if not meanwhile or _WAYS[transfer["direction"]] not in meanwhile[-1].directions:
            return None
        line = meanwhile[-1]
        return replace(line.doing, drops=sum(began <= t <= ended for t in line.drops))

    def find(self, connected: Connected, download: Download | None) -> _Flow | None:
        """Return the flow of a connection: the latest that was opened from its end before it was connected.

        Later flows from the same port belong to later connections. Of several boxes on one line, the box that acted
        is meant: one that let the flow pass says nothing about why it was slow.

        Where a download began later, the flow is one that the box remembered then, or took the download for: a box
        may forget an idle connection and see a new flow in what follows, opened after the client was connected.
        """
        flows = self._by_end.get((connected["local"][0], connected["local"][1]), [])
        if download is not None:
            flows = [flow for flow in flows if flow.forgotten is None or flow.forgotten > download["t"]]
            return next((flow for flow in flows if flow.action), flows[0] if flows else None)
        latest = {flow.box: flow for flow in flows if flow.opened <= connected["t"]}
        return max(latest.values(), key=lambda flow: flow.action is not None, default=None)


def _line_action(record: ThrottlingStartedRecord, box: BoxPlan) -> _Flow:
    profile = profile_at(box, record["t"])
    # A profile that meters a whole line has one rule alone. Without a profile nothing would have been metered.
    rule = None if profile is None else profile["rules"][0]["id"]
    return _Flow(action=record["meter"], effect=record.get("effect"), rule=rule)


def _directions(record: ThrottlingStartedRecord) -> set[Way]:
    parameters: dict[Way, dict[str, float] | None] = {"up": record["up"], "down": record["down"]}
    return {way for way, found in parameters.items() if found is not None}
