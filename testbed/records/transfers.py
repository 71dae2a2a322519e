"""What each transfer came to: the client's measurements joined with the ground truth of its flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["summarise_transfers"]

_WAYS = {"download": "down", "upload": "up"}
# What an action means is said where it begins. One that does not say that it slows a flow down is no slowdown: a new
# one must not become one by being unknown here.
_SLOWS = "slows"

_HELLOS = {
    "spans records": "hello in several records", "behind another record": "hello behind another record",
    "malformed": "hello malformed for its parser", "no name": "hello without a name",
    "in IP fragments": "hello in IP fragments", "unknown version": "hello of an unknown version of QUIC",
    "too short": "hello in a datagram that is too short",
}  # fmt: skip


def summarise_transfers(
    plan: Mapping[str, Any], measurements: Iterable[dict[str, Any]], truth: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """One summary a transfer, in the plan's order.

    Returns:
        Objects with ``id, name, line, sni, direction, role, kind, ok, bytes, start_s, duration_s, goodput_bps,
        handshake_s, throttled, action, rule, drops, hello, error``. ``bytes`` are payload bytes in the transfer's
        direction;
        ``duration_s`` runs from the client's SYN to the last of them (where the client first does something else, as
        in an evasion, from its ``download`` event), ``goodput_bps`` is their quotient;
        ``handshake_s`` is the time from connection to the end of the TLS handshake. ``throttled``, ``action``,
        ``rule`` and ``drops`` are ground truth of that time: ``action`` is what a box did to the flow or to the whole
        line (a meter, ``delay``, or a way to end it; None: nothing), ``throttled`` whether that slows it down, as
        the box says. ``hello`` is why a box that acted on nothing did not find the name in the hello; None: it did, or
        there was none. A transfer that never began has ``error`` "did not run". A transfer whose outcome was published
        has it in ``published``.
    """
    by_transfer: dict[str, list[dict[str, Any]]] = {}
    for record in measurements:
        by_transfer.setdefault(record["transfer"], []).append(record)
    flows = _Flows(truth, plan.get("boxes", {}))
    return [
        _summarise(transfer, by_transfer.get(transfer["id"], []), flows)
        for phase in plan["phases"]
        for line in phase["lines"]
        for transfer in line["transfers"]
        if transfer["kind"] not in {"record", "probe"}
    ]


def _summarise(transfer: dict[str, Any], records: list[dict[str, Any]], flows: _Flows) -> dict[str, Any]:
    at = {record["event"]: record for record in records if record["side"] == "client"}
    counting = "client" if transfer["direction"] == "download" else "server"
    times, totals = received_bytes(records, counting)
    started = at["started"]["t"] if "started" in at else None
    finished = at.get("finished")
    measured_from = at["download"]["t"] if "download" in at else started
    duration_s = None if measured_from is None or not times else times[-1] - measured_from
    received = totals[-1] if totals else 0
    connected = at.get("connected")
    handshake = at.get("handshake")
    flow = flows.find(connected, at.get("download")) if connected else None
    if times and (flow is None or flow["action"] is None):
        flow = flows.of_line(transfer, began=measured_from or 0.0, ended=times[-1]) or flow
    published = {"published": transfer["published"]} if transfer.get("published") else {}
    return {
        **{key: transfer[key] for key in ("id", "name", "line", "sni", "direction", "role", "kind")},
        **published,
        "ok": bool(finished and finished["ok"]),
        "bytes": received,
        "start_s": started,
        "duration_s": duration_s,
        "goodput_bps": received * 8 / duration_s if duration_s else None,
        "handshake_s": _instant(handshake) - _instant(connected) if handshake and connected else None,
        "throttled": _is_throttled(flow),
        "action": flow["action"] if flow else None,
        "rule": flow["rule"] if flow else None,
        "drops": flow["drops"] if flow else 0,
        "hello": flow["hello"] if flow and flow["action"] is None else None,
        "error": finished["error"] if finished else ("did not run" if started is None else "did not finish"),
    }


def hello_in_words(record: dict[str, Any]) -> str | None:
    """Why a box did not find the name in a hello; None where there was no hello to be found."""
    reason: str = record["reason"]
    if reason == "spans packets":
        # A box that gives up has seen some of the packets, and cannot know how many the others are.
        is_whole = bool(record.get("size")) and record["bytes"] >= record["size"]
        seen = record["packets"]
        return f"hello in {seen} packets" if is_whole and seen > 1 else f"hello in {max(seen + 1, 2)} packets or more"
    if reason == "not recognised":
        return None
    return _HELLOS.get(reason, f"hello: {reason}")


def _is_throttled(flow: dict[str, Any] | None) -> bool:
    return flow is not None and flow["effect"] == _SLOWS


def _instant(record: dict[str, Any]) -> float:
    """When it happened: curl tells afterwards, in a field of its own."""
    instant: float = record.get(f"t_{record['event']}", record["t"])
    return instant


def received_bytes(records: Iterable[dict[str, Any]], side: str) -> tuple[list[float], list[int]]:
    """Arrival times (seconds since the start of the run) and cumulative payload bytes, as one end saw them."""
    times: list[float] = []
    totals: list[int] = []
    for record in records:
        if record["event"] == "bytes" and record["side"] == side:
            times += record["times"]
            totals += record["totals"]
    return times, totals


def _note_event(flow: dict[str, Any], record: dict[str, Any]) -> None:
    """What a later event says of a flow."""
    match record["event"]:
        case "hello_unread":
            flow["hello"] = hello_in_words(record)
        case "rule_matched":
            flow["rule"] = record["rule"]
        case "throttling_started":
            flow |= {"action": record["meter"], "effect": record.get("effect")}
        case "blocking_started":
            flow |= {"action": record["action"], "effect": record.get("effect")}
        case "packet_dropped":
            flow["drops"] += 1
        case "flow_forgotten":
            flow["forgotten"] = record["t"]


class _Flows:
    """The boxes' flows, by the client's end of the connection, and what boxes do to whole lines."""

    def __init__(self, truth: Iterable[dict[str, Any]], boxes: dict[str, Any]) -> None:
        self._by_end: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self._lines: dict[str, dict[str, Any]] = {}
        known: dict[tuple[str, int], dict[str, Any]] = {}
        for record in truth:
            if record["flow"] == 0 and record["box"] in boxes:
                self._note_line(record, boxes[record["box"]])
            if not record["flow"]:
                continue  # of a line, a fragment or a link: no flow's own
            key = (record["box"], record["flow"])
            if record["event"] == "flow_opened":
                known[key] = {
                    "box": record["box"], "opened": record["t"], "forgotten": None, "action": None, "effect": None,
                    "rule": None, "drops": 0, "hello": None,
                }  # fmt: skip
                self._by_end.setdefault((record["inside"], record["inside_port"]), []).append(known[key])
            else:
                _note_event(known[key], record)

    def _note_line(self, record: dict[str, Any], box: dict[str, Any]) -> None:
        if record["event"] == "throttling_started":
            self._lines[box["line"]] = {
                "action": record["meter"],
                "effect": record.get("effect"),
                "rule": box["profile"]["rules"][0]["id"],
                "directions": {name for name in ("up", "down") if record[name] is not None},
                "drops": [],
                "hello": None,
            }
        elif record["event"] == "packet_dropped" and box["line"] in self._lines:
            self._lines[box["line"]]["drops"].append(record["t"])

    def of_line(self, transfer: dict[str, Any], *, began: float, ended: float) -> dict[str, Any] | None:
        """What a box does to all traffic of a transfer's line in its direction; its drops are those of that time."""
        line = self._lines.get(transfer["line"])
        if line is None or _WAYS[transfer["direction"]] not in line["directions"]:
            return None
        return {**line, "drops": sum(began <= t <= ended for t in line["drops"])}

    def find(self, connected: dict[str, Any], download: dict[str, Any] | None) -> dict[str, Any] | None:
        """The flow of a connection: the latest that was opened from that address and port before it was connected.

        Of several boxes on one line, that of the box that acted.
        Where a download began later, the one that the box remembered then, or took the download for: a box may forget
        an idle connection and see a new flow in what follows.
        """
        flows = self._by_end.get((connected["local"][0], connected["local"][1]), [])
        if download is not None:
            flows = [flow for flow in flows if flow["forgotten"] is None or flow["forgotten"] > download["t"]]
            return next((flow for flow in flows if flow["action"]), flows[0] if flows else None)
        latest = {flow["box"]: flow for flow in flows if flow["opened"] <= connected["t"]}
        return max(latest.values(), key=lambda flow: flow["action"] is not None, default=None)
