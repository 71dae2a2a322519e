"""What the plan says that acts on a transfer beside boxes: impaired links on its way, and what its two ends do.

A link's rate and delay that only make up the network are no influence: every transfer has a bottleneck. Named are what
loses, disturbs or repeats packets, what ``links`` of the scenario changes, and links that were out or impaired for a
while.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from testbed.records.influence import Span, planned_influence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testbed.records.manifest import TransferSummary
    from testbed.records.plan import EventPlan, PlanDocument, TransferPlan
    from testbed.records.run import RunDirectory
    from testbed.records.truth import TruthRecord
    from testbed.scenario.plan import Plan

__all__ = ["add_planned_influences"]

# The keys of a plan, and what a scenario calls them.
_OF_LINKS: Final = {
    "delay_s": "delay", "jitter_s": "jitter", "loss": "loss", "duplicate": "duplicate", "reorder": "reorder",
    "rate_bps": "rate", "queue": "queue", "trace": "trace",
}  # fmt: skip
_OF_ORIGINS: Final = {
    "rate_bps": "rate", "think_s": "think", "send_buffer": "send buffer", "pacing_bps": "pacing",
}  # fmt: skip
_OF_CLIENTS: Final = {"receive_buffer": "receive buffer", "reading_bps": "reading"}
_CHANGES: Final = {"link_failed": "outage", "link_impaired": "impairment"}


class _Change(NamedTuple):
    """A link that was out or impaired for a while."""

    link: frozenset[str]
    what: str
    span: Span


class _Begun(NamedTuple):
    """A link that is out or impaired since an instant, and is to be so until another."""

    what: str
    from_s: float
    until_s: float


def add_planned_influences(plan: Plan, transfers: Iterable[TransferSummary], run: RunDirectory) -> None:
    """Add to each transfer that ran what the plan and the log of the network say of its links and ends."""
    planned = {each["id"]: each for each in plan.transfers}
    lossy = _lossy_links(plan)
    tariffs = [frozenset(link["between"]) for link in plan.data["links"] if "policer" in link]
    changes = list(_changes(run.each_truth(), plan.data["events"])) if plan.data["events"] else []
    for transfer in transfers:
        of_plan = planned[transfer["id"]]
        if transfer["start_s"] is None or transfer["end_s"] is None or of_plan["kind"] == "flow":
            continue  # it did not run; or a user's command made it, and the plan says nothing of its ends
        spent = Span(transfer["start_s"], transfer["end_s"])
        path = plan.path_of(of_plan)
        on_way = {frozenset(pair) for pair in pairwise(path)}
        transfer["influences"] += [
            *(planned_influence("link", _named(link), what, spent, spent) for link, what in lossy if link in on_way),
            *(planned_influence("plan", _named(link), "policer", spent, spent) for link in tariffs if link in on_way),
            *(
                planned_influence("link", _named(change.link), change.what, change.span, spent)
                for change in changes
                if change.link in on_way and change.span.meets(spent)
            ),
            *(planned_influence("ends", node, what, spent, spent) for node, what in _ends(plan.data, of_plan, path)),
        ]


def _named(link: frozenset[str]) -> str:
    return " - ".join(sorted(link))


def _lossy_links(plan: Plan) -> list[tuple[frozenset[str], str]]:
    """Return the links that ``links`` speaks of, and those that lose packets by the topology's own parameters."""
    found = [
        (frozenset(link["between"]), ", ".join(name for key, name in _OF_LINKS.items() if key in link))
        for link in plan.data["links"]
        if link.keys() & _OF_LINKS.keys() and not link.get("natural")
    ]
    said = {link for link, _ in found}
    for first, second, info in plan.topology.iterLinks(withInfo=True):
        link = frozenset({first, second})
        if link not in said and any(info[side].get("loss") for side in ("params1", "params2")):
            found.append((link, "loss"))
    return found


def _changes(truth: Iterable[TruthRecord], events: list[EventPlan]) -> Iterator[_Change]:
    begun: dict[tuple[frozenset[str], str], list[_Begun]] = {}
    for record in truth:
        # Kinds of events that others add write records of their own, whose keys are not known here.
        if record["event"] == "link_failed" or record["event"] == "link_impaired":
            key, what = (frozenset(record["link"]), record["about"]), _CHANGES[record["event"]]
            begun.setdefault(key, []).append(_Begun(what, record["t"], _planned_end_s(events, what, key, record["t"])))
        elif record["event"] == "link_restored" and (own := begun.get((frozenset(record["link"]), record["about"]))):
            # Two that overlap may have the same reason, or none: the one ends whose end was due.
            ended = min(own, key=lambda each: abs(each.until_s - record["t"]))
            own.remove(ended)
            yield _Change(frozenset(record["link"]), ended.what, Span(ended.from_s, record["t"]))
    for (link, _), changes in begun.items():
        yield from (_Change(link, each.what, Span(each.from_s, math.inf)) for each in changes)


def _planned_end_s(events: list[EventPlan], what: str, key: tuple[frozenset[str], str], began_s: float) -> float:
    """Return when what began at an instant was to end; infinity: it is not planned."""
    spans: list[tuple[float, float]] = []
    for event in events:
        link, about, from_s, until_s = (event["fields"].get(name) for name in ("link", "about", "from_", "until"))
        is_it = event["kind"] == what and isinstance(link, list) and (frozenset(link), about) == key
        if is_it and isinstance(from_s, float | int) and isinstance(until_s, float | int):
            spans.append((abs(from_s - began_s), until_s))
    return min(spans, default=(0.0, math.inf))[1]


def _ends(plan: PlanDocument, transfer: TransferPlan, path: list[str]) -> Iterator[tuple[str, str]]:
    """Yield what is said of the two ends, with their nodes."""
    client, server = path[0], path[-1]
    origin = plan["origins"].get(server)
    if origin is not None:
        yield from ((server, name) for key, name in _OF_ORIGINS.items() if key in origin)
    yield from ((client, name) for key, name in _OF_CLIENTS.items() if key in transfer)
