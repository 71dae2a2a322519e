"""Background traffic in the records: what is planned of it, and what came of it. Nothing here is scored.

A background flow is a transfer like any other to who reads the table, with the role ``background``. It stands in a list
of its own in the manifest, so that whoever scores a run meets it only by asking for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict, cast

from testbed.records.measurements import by_transfer
from testbed.records.transfers import summarise_transfers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.records.manifest import TransferSummary
    from testbed.records.measurements import Measurement
    from testbed.records.plan import Direction, FlowTransfer, PlanDocument
    from testbed.records.truth import TruthRecord

__all__ = ["BackgroundKind", "BackgroundPlan", "background_id", "background_notes", "summarise_background"]

BackgroundKind = Literal["bulk", "udp", "web"]
ROLE = "background"


class BackgroundPlan(TypedDict):
    """An entry of background traffic. What is missing is not asked for.

    Keys:
        id: What the ids of its flows begin with.
        line: Whose client takes part; empty where only servers do.
        direction: As the client of ``line`` sees it.
        sender, receiver, opener: Nodes; the opener is one of the two.
        inside: The node that boxes take for the subscriber's.
        port: On which the end that is not the opener listens.
        seed: Of its payload and arrivals.
        congestion_control: Of the sender's sockets.
        rate_bps, packet_bytes: Of IP packets.
        objects: Size in bytes and the pause after it in seconds, one object after the other; then from the first again.
        from_s, until_s: When it begins and ends; missing: with the measurements.
        beside: Ids of the transfers while which it goes on.
        lead_s: How long before each of these it begins.
        ip: 6: it goes over IPv6; missing: over IPv4.
    """

    id: str
    kind: BackgroundKind
    name: str
    line: str
    direction: Direction
    sender: str
    receiver: str
    opener: str
    inside: str
    port: int
    seed: int
    flows: int
    congestion_control: NotRequired[str]
    rate_bps: NotRequired[int]
    packet_bytes: NotRequired[int]
    arrivals: NotRequired[Literal["constant", "poisson"]]
    objects: NotRequired[list[list[float]]]
    from_s: NotRequired[float]
    until_s: NotRequired[float]
    beside: NotRequired[list[str]]
    lead_s: NotRequired[float]
    ip: NotRequired[Literal[6]]


def background_id(plan: BackgroundPlan, flow: int, episode: int) -> str:
    """Return the id of one flow, both numbers counted from 1. Beside measurements an entry begins again and again."""
    own = plan["id"] if plan["flows"] == 1 else f"{plan['id']}-{flow}of{plan['flows']}"
    return f"{own}#{episode}" if "beside" in plan else own


def summarise_background(
    plan: PlanDocument, measurements: Iterable[Measurement], truth: Iterable[TruthRecord]
) -> list[TransferSummary]:
    """Return one summary a flow that began, in the order in which they did, with the role ``background``."""
    entries = {entry["id"]: entry for entry in plan.get("background", [])}
    own = {id_: found for id_, found in by_transfer(measurements).items() if _entry_of(id_) in entries}
    transfers = [_as_transfer(id_, entries[_entry_of(id_)]) for id_ in own]
    # As flows that are found after the run, so that measurements and truth meet in one way for all.
    asked = cast("PlanDocument", {**plan, "phases": [{"lines": [{"name": "", "node": "", "transfers": transfers}]}]})
    found = summarise_transfers(asked, (record for each in own.values() for record in each), truth)
    for summary in found:
        summary["kind"] = entries[_entry_of(summary["id"])]["kind"]
    return found


def background_notes(plan: PlanDocument, found: Iterable[TransferSummary]) -> list[str]:
    """Return what a reader has to know of background traffic that was not as it was planned."""
    notes = []
    flows: dict[str, list[TransferSummary]] = {}
    for each in found:
        flows.setdefault(_entry_of(each["id"]), []).append(each)
    for entry in plan.get("background", []):
        there = flows.get(entry["id"], [])
        failed = [each for each in there if not each["ok"]]
        if not there:
            notes.append(f"{entry['id']} ({entry['name']}) did not happen: the run was over before it was due")
        elif failed:
            notes.append(
                f"{len(failed)} of {len(there)} flows of {entry['id']} ({entry['name']}) did not go on as planned: "
                f"{failed[0]['error']}"
            )
        ended_s = max((each["end_s"] or 0.0 for each in there if each["ok"]), default=None)
        if ended_s is not None and "until_s" in entry and ended_s < entry["until_s"]:
            notes.append(
                f"{entry['id']} ({entry['name']}) went on until the run's end at {ended_s:.1f} s, "
                f"not until {entry['until_s']:g} s"
            )
    return notes


def _entry_of(transfer: str) -> str:
    return transfer.partition("#")[0].partition("-")[0]


def _as_transfer(own: str, entry: BackgroundPlan) -> FlowTransfer:
    return {
        "id": own, "name": entry["name"], "line": entry["line"], "role": ROLE, "kind": "flow", "sni": None,
        "direction": entry["direction"], "at_s": entry.get("from_s", 0.0), "timeout_s": 0.0,
    }  # fmt: skip
