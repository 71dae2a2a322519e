"""One trace three ways: the pure model, the capture adapter, the live box. The same fate for every packet.

The live box's part comes from `testbed.conformance.live_bench`: captures of both ports, and the log. The other two
are given what arrived at its ports, when it arrived. A fourth witness is the wire: `testbed.records.agreement`
holds the log against what came out.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, cast

from testbed.middlebox.adapters.pcap import inspect_box
from testbed.middlebox.events import Event, FlowForgotten, HelloUnread, event_from_json, event_name
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.offload import arrival_step_ns
from testbed.records.agreement import Agreement, compare, read_box_captures
from testbed.records.jsonl import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile import Profile
    from testbed.records.truth import TruthRecord

__all__ = ["ThreeWay", "compare_three_ways"]

_LOG_STEP_NS = 1000
_LATE_S = 1e-4  # each look at the guest's clock moves it on by 256 ns, and a packet in user space costs some
# The kernel tells the age of a flow that it holds in steps of 10 ms (USER_HZ), and one step may be missing.
_IDLE_NS = 20_000_000
_NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class ThreeWay:
    """What the comparison found.

    Attributes:
        packets: How many arrived at the live box.
        events: How often each event is in its log.
        missing: Packets of the trace that did not arrive, or not in their order.
        adapter: Packets that the model and the capture adapter disagree about.
        live: Packets that the model and the live box disagree about, each with both accounts.
        timers: Flows that one of these two forgot or gave up without a name, or not at the same time.
        wire: The log against the captures.
    """

    packets: int = 0
    events: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    adapter: list[int] = field(default_factory=list)
    live: list[tuple[int, list[Event], list[Event]]] = field(default_factory=list)
    timers: list[tuple[int, str]] = field(default_factory=list)
    wire: Agreement = field(default_factory=Agreement)

    @property
    def agrees(self) -> bool:
        """Whether all of them say the same of every packet."""
        return not (self.missing or self.adapter or self.live or self.timers) and self.wire.agrees


def compare_three_ways(trace: Sequence[Packet], folder: Path, profile: Profile, *, seed: int, inside: str) -> ThreeWay:
    """Compare what a live box did to a trace with what the model and the capture adapter make of it.

    Args:
        trace: What was sent, with some microseconds between packets.
        folder: What `testbed.conformance.live_bench` left.
        profile: The censor.
        seed: That the box had.
        inside: The subscriber's address.

    Raises:
        CaptureError: A capture cannot be read.
        RecordError: The log cannot be read.
    """
    result = ThreeWay()
    counters = json.loads((folder / "counters.json").read_text())
    start_ns: int = counters["start_ns"]
    records = list(read_lines(folder / "truth.jsonl"))
    log = [event_from_json(record, start_ns=start_ns) for record in records]
    captures = (folder / "inside.pcap", folder / "outside.pcap")
    rows = list(inspect_box(*captures, profile, seed=seed, inside=[inside]))
    result.packets, result.events = len(rows), Counter(event_name(event) for event in log)
    result.missing = max(len(rows), len(trace)) - sum(
        row.packet.data == packet.data for row, packet in zip(rows, trace, strict=False)
    )
    # The model is given what the adapter read, at the times that the live box knew: whatever differs then is theirs.
    model = Inspector(profile, seed=seed)
    step_ns = arrival_step_ns(profile)
    arrivals = [(row.packet, row.t_ns - row.t_ns % step_ns) for row in rows]
    expected = [model.expire(t_ns) + model.inspect(packet, t_ns) for packet, t_ns in arrivals]
    stopped_ns: int = counters["box"]["stopped_ns"]
    last = model.expire(stopped_ns)
    result.adapter = [
        index for index, (row, events) in enumerate(zip(rows, expected, strict=True)) if row.events != events
    ]
    _compare_packets([row.t_ns - row.t_ns % _LOG_STEP_NS for row in rows], expected, log, result)
    _compare_timers(chain(*expected, last), log, result)
    result.wire = compare(
        read_box_captures(*captures, inside),
        cast("list[TruthRecord]", records),
        start_ns=start_ns,
        until_ns=stopped_ns,
        late_s=_LATE_S,
    )
    return result


def _compare_packets(
    times_ns: Sequence[int], expected: Sequence[list[Event]], log: list[Event], result: ThreeWay
) -> None:
    """The log's events belong to the packet that arrived last before them."""
    found: dict[int, list[Event]] = {}
    # Events at timers are compared by themselves: which packet they fall behind depends on when the box looked.
    for event in log:
        if not isinstance(event, FlowForgotten | HelloUnread):
            index = bisect_right(times_ns, event.t_ns) - 1
            found.setdefault(index, []).append(replace(event, t_ns=0))
    for index, events in enumerate(expected):
        by_model = [replace(event, t_ns=0) for event in events if not isinstance(event, FlowForgotten | HelloUnread)]
        by_box = found.get(index, [])
        if by_model != by_box:
            result.live.append((index, by_model, by_box))


def _compare_timers(expected: Iterable[Event], log: Iterable[Event], result: ThreeWay) -> None:
    """What may happen without a packet, at a timer: flows are forgotten, and with them hellos that were not read."""
    by_model, by_box = (
        {replace(event, t_ns=0): event for event in events if isinstance(event, FlowForgotten | HelloUnread)}
        for events in (expected, log)
    )
    result.timers = sorted(
        (event.flow, event.reason)
        for event in by_model.keys() | by_box.keys()
        if event not in by_model or event not in by_box or abs(by_model[event].t_ns - by_box[event].t_ns) > _IDLE_NS
    )
