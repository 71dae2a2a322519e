"""One trace three ways: the pure model, the capture adapter, the live box. The same fate for every packet.

The live box's part comes from `testbed.world.live_bench`: captures of both ports, and the log. The other two are given
what arrived at its ports, when it arrived. A fourth witness is the wire: `testbed.records.agreement` holds the log
against what came out.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testbed.middlebox.adapters.pcap import Row, inspect_box
from testbed.middlebox.events import Event, event_to_json
from testbed.middlebox.inspector import Inspector
from testbed.records.agreement import Agreement, compare, read_box_captures
from testbed.records.jsonl import read_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile import Profile

__all__ = ["ThreeWay", "compare_three_ways"]

# A look at the guest's clock moves it on by 256 ns: the box reads it a little after the capture has stamped the packet.
_CLOCK_NS = 10_000
# The kernel tells the age of a flow that it holds in steps of 10 ms (USER_HZ), and one step may be missing.
_IDLE_NS = 20_000_000
_NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class ThreeWay:
    """What the comparison found.

    Attributes:
        packets: how many arrived at the live box.
        events: how often each event is in its log.
        missing: packets of the trace that did not arrive, or not in their order.
        adapter: packets that the model and the capture adapter disagree about.
        live: packets that the model and the live box disagree about, each with both accounts.
        timers: flows that one of these two forgot, or not at the same time.
        wire: the log against the captures.
        worst_delay_ns: largest difference between two departures.
    """

    packets: int = 0
    events: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    adapter: list[int] = field(default_factory=list)
    live: list[tuple[int, list[dict[str, Any]], list[dict[str, Any]]]] = field(default_factory=list)
    timers: list[tuple[int, str]] = field(default_factory=list)
    wire: Agreement = field(default_factory=Agreement)
    worst_delay_ns: int = 0

    @property
    def agrees(self) -> bool:
        """Whether all of them say the same of every packet."""
        return not (self.missing or self.adapter or self.live or self.timers) and self.wire.agrees


def compare_three_ways(trace: Sequence[Packet], folder: Path, profile: Profile, *, seed: int, inside: str) -> ThreeWay:
    """Compare what a live box did to a trace with what the model and the capture adapter make of it.

    Args:
        trace: what was sent.
        folder: what `testbed.world.live_bench` left.
        profile: the censor.
        seed: that the box had.
        inside: the subscriber's address.

    Raises:
        CaptureError: a capture cannot be read.
        RecordError: the log cannot be read.
    """
    result = ThreeWay()
    counters = json.loads((folder / "counters.json").read_text())
    start_ns: int = counters["start_ns"]
    log = list(read_lines(folder / "truth.jsonl"))
    captures = (folder / "inside.pcap", folder / "outside.pcap")
    rows = list(inspect_box(*captures, profile, seed=seed, inside=[inside]))
    result.packets, result.events = len(rows), Counter(record["event"] for record in log)
    result.missing = max(len(rows), len(trace)) - sum(
        row.packet.data == packet.data for row, packet in zip(rows, trace, strict=False)
    )
    model = Inspector(profile, seed=seed)
    expected = [model.expire(row.t_ns) + model.inspect(row.packet, row.t_ns) for row in rows]
    stopped_ns: int = counters["box"]["stopped_ns"]
    last = model.expire(stopped_ns)
    result.adapter = [
        index for index, (row, events) in enumerate(zip(rows, expected, strict=True)) if row.events != events
    ]
    _compare_packets(rows, expected, log, start_ns, result)
    _compare_timers([*expected, last], log, start_ns, result)
    result.wire = compare(
        read_box_captures(*captures, inside),
        log,
        start_ns=start_ns,
        until_ns=stopped_ns,
        late_s=_CLOCK_NS / _NS_PER_S,
    )
    return result


def _compare_packets(
    rows: Sequence[Row], expected: Sequence[list[Event]], log: list[dict[str, Any]], start_ns: int, result: ThreeWay
) -> None:
    """The log's records belong to the packet that arrived last before them."""
    times = [row.t_ns for row in rows]
    found: dict[int, list[dict[str, Any]]] = {}
    for record in log:
        if record["event"] != "flow_forgotten":
            t_ns = start_ns + round(record["t"] * _NS_PER_S)
            found.setdefault(bisect_right(times, t_ns) - 1, []).append({**record, "t_ns": t_ns})
    for index, events in enumerate(expected):
        by_model = [
            {**event_to_json(event), "t_ns": event.t_ns} for event in events if type(event).__name__ != "FlowForgotten"
        ]
        by_box = found.pop(index, [])
        if len(by_model) != len(by_box) or not all(
            _is_same(one, other, result) for one, other in zip(by_model, by_box, strict=True)
        ):
            result.live.append((index, by_model, by_box))
    result.live += [(index, [], records) for index, records in found.items()]


def _is_same(by_model: dict[str, Any], by_box: dict[str, Any], result: ThreeWay) -> bool:
    """Whether two records say the same: everything but the instant, and the departure but for the clock's steps."""
    ignored = {"t", "t_ns", "box", "delay_ns"}
    if any(by_box.get(key) != value for key, value in by_model.items() if key not in ignored):
        return False
    if "delay_ns" not in by_model:
        return True
    distance_ns: int = abs(by_model["t_ns"] + by_model["delay_ns"] - by_box["t_ns"] - by_box["delay_ns"])
    result.worst_delay_ns = max(result.worst_delay_ns, distance_ns)
    return distance_ns <= _CLOCK_NS


def _compare_timers(
    expected: Sequence[list[Event]], log: list[dict[str, Any]], start_ns: int, result: ThreeWay
) -> None:
    """Flows are forgotten when a timer runs out, packet or not."""
    by_model, by_box = (
        {(record["flow"], record["reason"]): record["t_ns"] for record in records}
        for records in (
            [
                {**event_to_json(event), "t_ns": event.t_ns}
                for events in expected
                for event in events
                if type(event).__name__ == "FlowForgotten"
            ],
            [
                {**record, "t_ns": start_ns + round(record["t"] * _NS_PER_S)}
                for record in log
                if record["event"] == "flow_forgotten"
            ],
        )
    )
    result.timers = sorted(
        key
        for key in by_model.keys() | by_box.keys()
        if key not in by_model or key not in by_box or abs(by_model[key] - by_box[key]) > _IDLE_NS
    )
