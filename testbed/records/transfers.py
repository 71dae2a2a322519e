"""What each transfer came to: the client's measurements joined with the ground truth of its flow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from testbed.records.box_flows import BoxFlows, FlowTruth
from testbed.records.influence import Span
from testbed.records.label import treatment
from testbed.records.measurements import EndsSaw, instant, what_ends_saw
from testbed.records.plan import asked_name, planned_transfers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.records.manifest import TransferSummary
    from testbed.records.measurements import ClientEvents, Finished, Measurement
    from testbed.records.plan import PlanDocument, TransferPlan
    from testbed.records.truth import TruthRecord

__all__ = ["summarise_transfers"]

IPV6: Final = 6


def summarise_transfers(
    plan: PlanDocument, measurements: Iterable[Measurement], truth: Iterable[TruthRecord]
) -> list[TransferSummary]:
    """Return one summary a transfer, in the plan's order; recordings and probes have none.

    ``throttled`` is said by `testbed.records.label`: an action that slows touched packets, and not of the handshake
    alone. ``action``, ``rule`` and ``drops`` are ground truth of the time between the client's SYN and the
    last byte. What a box does to the flow goes before what it does to the whole line, which counts only where
    nothing was done to the flow; ``influences`` has both. A transfer that never began has the ``error`` "did not run".
    """
    seen = what_ends_saw(measurements)
    flows = BoxFlows(truth, plan.get("boxes", {}))
    has_others = bool(plan.get("background"))
    return [
        _summarise(
            transfer,
            seen.get(transfer["id"]) or EndsSaw(),
            flows,
            _servers(plan, transfer),
            shares_line=has_others or "group" in transfer,
        )
        for transfer in planned_transfers(plan)
        if transfer["kind"] not in {"record", "probe"}
    ]


def _servers(plan: PlanDocument, transfer: TransferPlan) -> list[str]:
    """Return the addresses of the server that a transfer asks by a name."""
    asked = asked_name(transfer)
    return [addresses[asked] for addresses in (plan.get("names", {}), plan.get("names6", {})) if asked in addresses]


def _summarise(
    transfer: TransferPlan, seen: EndsSaw, flows: BoxFlows, servers: list[str], *, shares_line: bool
) -> TransferSummary:
    at = seen.client
    last = seen.last_bytes.get("client" if transfer["direction"] == "download" else "server")
    started = at["started"]["t"] if "started" in at else None
    measured_from = at["download"]["t"] if "download" in at else started
    duration_s = None if measured_from is None or last is None else last[0] - measured_from
    received = 0 if last is None else last[1]
    connected, finished = at.get("connected"), at.get("finished")
    ended = _ended(started, None if last is None else last[0], finished)
    spent = None if started is None or ended is None else Span(started, ended)
    until_s = math.inf if ended is None else ended
    if connected is None and spent is not None and (tried := flows.attempt(transfer, servers, spent)) is not None:
        connected = at["connected"] = tried
    flow = flows.find(connected, at.get("download"), until_s) if connected else None
    # A box that meters a whole line does so to every flow of it. That counts where nothing was done to this one:
    # what was done to the flow says more.
    if last is not None and (flow is None or flow.action is None):
        flow = flows.of_line(transfer, began=measured_from or 0.0, ended=last[0]) or flow
    flow = flow or FlowTruth()
    summary: TransferSummary = {
        "id": transfer["id"],
        "name": transfer["name"],
        "line": transfer["line"],
        "sni": transfer["sni"],
        "direction": transfer["direction"],
        "role": transfer["role"],
        "kind": transfer["kind"],
        "ok": bool(finished and finished["ok"]),
        "bytes": received,
        "start_s": started,
        "end_s": ended,
        "duration_s": duration_s,
        "goodput_bps": received * 8 / duration_s if duration_s else None,
        "handshake_s": _handshake_s(at),
        "throttled": False,  # until all is known that acted on it
        "action": flow.action,
        "rule": flow.rule,
        "drops": flow.drops,
        "hello": flow.hello if flow.action is None else None,
        "influences": flows.influences(transfer, at, spent, shares_line=shares_line) if spent else [],
        "error": finished["error"] if finished else ("did not run" if started is None else "did not finish"),
    }
    summary["throttled"] = treatment(summary) == "slowed"
    published = transfer.get("published")
    if isinstance(published, str) and published:
        summary["published"] = published
    if transfer["kind"] == "fetch" or transfer["kind"] == "curl" or transfer["kind"] == "upload":
        summary["protocol"] = transfer.get("protocol", "http/1.1")
    # Of a command's flows the plan says nothing; their addresses do.
    if transfer.get("ip") == IPV6 or (connected is not None and ":" in connected["local"][0]):
        summary["ip"] = IPV6
    group = transfer.get("group")
    if isinstance(group, str):
        summary["group"] = group
    return summary


def _ended(started: float | None, last: float | None, finished: Finished | None) -> float | None:
    """Return when a transfer was over: the last that is known of it."""
    known = [started, last, None if finished is None else instant(finished)]
    return max((t for t in known if t is not None), default=None)


def _handshake_s(at: ClientEvents) -> float | None:
    if "handshake" not in at or "connected" not in at:
        return None
    return instant(at["handshake"]) - instant(at["connected"])
