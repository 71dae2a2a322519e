"""How much of the disk captures of background traffic may take: what is sent while it goes on.

Two figures: the least, where every measurement is as quick as its way allows and nothing is sent over links without a
rate, since nobody knows how fast that goes; and the most, where each measurement takes until its timeout, and only the
windows of TCP hold a sender back. Not for: what measurements take themselves (disk_room.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from testbed.scenario.background import latest_end_s
from testbed.scenario.density import LeastTimes

if TYPE_CHECKING:
    from testbed.records.background import BackgroundPlan
    from testbed.scenario.plan import Plan

__all__ = ["Room", "background_room"]

_WIRE = 1.06  # acknowledgements, and what a file adds to a packet; headers are counted as sent
_OF_HEADERS = 0.08  # of what is sent, where headers alone are kept while the run lasts
_OF_A_COMMAND_S = 60.0  # nobody knows how long a command takes; whoever starts one has a minute of it
# Mininet's net.core.rmem_max and the largest tcp_rmem: no more of one connection is under way.
_WINDOW_BITS = 8 * 16_777_216
_LEAST_RTT_S = 1e-3


class Room(NamedTuple):
    """Bytes of captures, at the least and at the most."""

    least: int
    most: int


def background_room(plan: Plan) -> Room:
    """Return the room that captures of a plan's background traffic take."""
    ways = LeastTimes(plan.topology, plan.data["origins"])
    least_s = _least_ends_s(plan, ways)
    end_s = latest_end_s(plan.data["phases"])
    least = most = 0.0
    for entry in plan.data.get("background", []):
        kept = _rate_bps(entry, plan, ways) / 8 * _share_kept(entry, plan)
        if _is_limited(entry, plan, ways):
            least += kept * _lasts_s(entry, plan, least_s, max(least_s.values(), default=_OF_A_COMMAND_S))
        latest_s = dict.fromkeys(least_s, _OF_A_COMMAND_S if end_s is None else end_s)
        most += kept * _lasts_s(entry, plan, latest_s, _OF_A_COMMAND_S if end_s is None else end_s)
    return Room(round(least), round(most))


def _lasts_s(entry: BackgroundPlan, plan: Plan, ends_s: dict[str, float], end_s: float) -> float:
    """Return how long an entry goes on, where measurements end at given instants."""
    if "beside" not in entry:
        return max(0.0, min(entry.get("until_s", end_s), end_s) - entry.get("from_s", 0.0))
    wanted = set(entry["beside"])
    starts = {transfer["id"]: transfer["at_s"] for transfer in plan.transfers if transfer["id"] in wanted}
    # Those of several lines go side by side, and the entry goes on while one of them does: no longer than the run.
    alone = sum(max(0.0, ends_s[each] - at_s) + entry.get("lead_s", 0.0) for each, at_s in starts.items())
    return min(alone, end_s + entry.get("lead_s", 0.0))


def _least_ends_s(plan: Plan, ways: LeastTimes) -> dict[str, float]:
    """Return when each measurement is over at the earliest, by its id."""
    ends: dict[str, float] = {}
    for line in plan.data["phases"][-1]["lines"]:
        at_s = 0.0
        for transfer in line["transfers"]:
            begins_s = max(at_s + transfer.get("pause_s", 0.0), transfer["at_s"])
            at_s = begins_s + ways.of(transfer, plan.path_of(transfer))
            ends[transfer["id"]] = at_s
    return ends


def _is_limited(entry: BackgroundPlan, plan: Plan, ways: LeastTimes) -> bool:
    """Return whether something else than windows says how fast an entry sends."""
    return (
        "rate_bps" in entry or ways.bottleneck_bps(plan.topology.path(entry["sender"], entry["receiver"])) is not None
    )


def _rate_bps(entry: BackgroundPlan, plan: Plan, ways: LeastTimes) -> float:
    """Return at which rate an entry sends at the most, all its flows together."""
    path = plan.topology.path(entry["sender"], entry["receiver"])
    bottleneck = ways.bottleneck_bps(path)
    if "rate_bps" in entry:
        wanted = float(entry["rate_bps"] * entry["flows"])
    else:
        rtt_s = max(plan.topology.rtt_s(entry["sender"], entry["receiver"]), _LEAST_RTT_S)
        wanted = entry["flows"] * _WINDOW_BITS / rtt_s
    if "objects" in entry and bottleneck is not None:
        # On and off: for as long as an object takes at the rate of the way, and then not for its pause.
        sent = sum(size for size, _ in entry["objects"])
        takes_s = sent * 8 / bottleneck + sum(pause for _, pause in entry["objects"])
        wanted = min(wanted, entry["flows"] * sent * 8 / takes_s)
    return wanted if bottleneck is None else min(wanted, bottleneck)


def _share_kept(entry: BackgroundPlan, plan: Plan) -> float:
    """Return how many bytes captures keep of each that is sent."""
    path = set(plan.topology.path(entry["sender"], entry["receiver"]))
    points = [point for point in plan.data["captures"] if point["node"] in path]
    whole = sum("keep" not in point for point in points)
    # One more while a file is converted.
    return ((whole + 1) * _WIRE if whole else 0.0) + (len(points) - whole) * _OF_HEADERS
