"""The middleboxes of a plan: a process each, which writes what it does to packets into the ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.guest.child import Child, Lifetime
from testbed.middlebox.adapters.nfqueue import LiveBox
from testbed.middlebox.events import Event, event_to_json
from testbed.middlebox.profile import Profile
from testbed.middlebox.succession import ProfileChange
from testbed.records.clock import iso_time
from testbed.records.jsonl import Json, LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.guest.stage import Stage
    from testbed.records.box_plan import BoxPlan, ProfileDocument
    from testbed.records.certificate import BoxCounters

__all__ = ["start_boxes"]

_NS_PER_S = 1e9


def start_boxes(stage: Stage) -> dict[str, Child[BoxCounters]]:
    """Start the boxes of the plan, one after the other; each inspects when this returns.

    Raises:
        GuestError: One did not start.
    """
    return {
        name: Child(f"the middlebox {name}", _body(name, box, stage), stage.network[name].namespace)
        for name, box in stage.plan["boxes"].items()
    }


def _body(name: str, box: BoxPlan, stage: Stage) -> Callable[[Lifetime], BoxCounters]:
    # Before the fork: what profiles load, and learn of their own classes, is then there for all boxes.
    profile = _profile(box["profile"])
    changes = [
        ProfileChange(
            at_ns=stage.start_ns + round(change["at_s"] * _NS_PER_S),
            profile=_profile(change["profile"]),
            forgets=change["forgets"],
        )
        for change in box.get("changes", [])
    ]

    def work(lifetime: Lifetime) -> BoxCounters:
        truth = LineWriter(stage.output / "truth.jsonl")
        entry = _entries(name, stage.start_ns)
        live = LiveBox(
            profile,
            seed=box["seed"],
            inside="eth0",  # the topology links a box's subscriber side first
            outside="eth1",
            log=lambda events: truth.write(*map(entry, events)),
            changes=changes,
        )
        counters = live.run(lifetime.ready, lifetime.fileno())
        truth.close()
        return counters

    return work


def _profile(described: ProfileDocument | None) -> Profile | None:
    return None if described is None else Profile.from_dict(described)


def _entries(name: str, start_ns: int) -> Callable[[Event], dict[str, object]]:
    """Make a line of the ground truth of each event. The first event of a flow has its community id; all get it."""
    community_ids: dict[int, Json] = {0: None}  # flow 0: fragments, and a whole line

    def entry(event: Event) -> dict[str, object]:
        record = event_to_json(event, start_ns=start_ns)
        community_id = record.pop("community_id", None) or community_ids[event.flow]
        community_ids[event.flow] = community_id
        head = {"t": record.pop("t"), "wall": iso_time(event.t_ns), "box": name, "flow": record.pop("flow")}
        return {**head, "community_id": community_id, **record}

    return entry
