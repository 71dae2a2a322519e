"""The box's log against the captures on both sides of it: two independent witnesses of every packet's fate.

Every IP packet that entered the box, fragments included, must come out of the other side, bit by bit, at the same
instant: unless the log says that it was dropped, delayed, held or rewritten. Nothing else may come out, but what the
log says was injected or rewritten. Between an entry of the log and a packet stand direction, five-tuple (where the log
has the flow), IP identification, sequence number, length and time.

The box's end is the end of the comparison: what came later, or waited then, is left out. What is left out is counted
and named in the result: a comparison tells what it looked at.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from testbed.records.crossings import BoxCaptures, Crossing, Identity, crossing, read_box_captures

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Agreement", "BoxCaptures", "Identity", "compare", "read_box_captures"]

_NS_PER_S = 1_000_000_000
_FOREVER_NS = 1 << 63
_EARLY_NS = 1000  # the log has arrivals in whole microseconds
_FATES = frozenset({"packet_dropped", "packet_delayed", "packet_held", "packet_rewritten"})


@dataclass(slots=True)
class Agreement:
    """What the comparison found.

    Attributes:
        compared: packets that entered and whose fate, as the log has it, was looked for on the other side.
        not_compared: what the captures hold besides, by what it is: frames and packets of both sides.
        dropped: packets that entered and did not leave, by the captures, but for those held or rewritten.
        logged: packets that the log says were dropped.
        delayed, held, rewritten, injected: packets of which the log says so.
        only_captures, only_log: drops in one of them only; in ``only_log`` also what else the captures lack.
        unexplained: packets that left the box without having entered it, and no entry says why.
        mistimed: packets that left at another time than at that of their arrival or, if delayed, departure.
        worst_s: the largest distance from that time.
        entry_frames: where each dropped packet entered: (side, frame number).
    """

    compared: int = 0
    not_compared: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    logged: int = 0
    delayed: int = 0
    held: int = 0
    rewritten: int = 0
    injected: int = 0
    only_captures: list[Identity] = field(default_factory=list)
    only_log: list[Identity] = field(default_factory=list)
    unexplained: list[Identity] = field(default_factory=list)
    mistimed: int = 0
    worst_s: float = 0.0
    entry_frames: list[tuple[str, int]] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether log and captures say the same of every packet."""
        return not (self.only_captures or self.only_log or self.unexplained or self.mistimed)


class _Record(NamedTuple):
    """One packet event of the log."""

    event: str
    t_ns: int
    upwards: bool
    ends: tuple[str, int, str, int] | None  # None where the log has no flow
    fields: dict[str, Any]


@dataclass(slots=True)
class _Entry:
    """A packet that entered the box, and the record of what became of it; None: it passed."""

    crossing: Crossing
    record: _Record | None = None


class _Exit(NamedTuple):
    """A packet that has to leave the box. ``entry`` is None for one of the box's own making."""

    t_ns: int
    identity: Identity
    entry: _Entry | None


def compare(
    captures: BoxCaptures,
    truth: Iterable[dict[str, Any]],
    *,
    start_ns: int = 0,
    until_ns: int = _FOREVER_NS,
    late_s: float = 0.02,
) -> Agreement:
    """Compare the captures of one box with its log.

    Args:
        captures: both sides.
        truth: the box's records of truth.jsonl, in order.
        start_ns: the instant that is their ``t`` = 0.
        until_ns: when the box ended.
        late_s: how late a packet may leave; a box in real time needs some.
    """
    result = Agreement()
    records = [each for each in _records(truth, start_ns) if each.t_ns < until_ns]
    entries = [_Entry(each) for each in captures.entered if each.t_ns < until_ns]
    _join(entries, [each for each in records if each.event in _FATES], result)
    kinds = Counter(each.event for each in records)
    result.logged += kinds["packet_dropped"]
    result.delayed, result.held = kinds["packet_delayed"], kinds["packet_held"]
    result.rewritten, result.injected = kinds["packet_rewritten"], kinds["packet_injected"]
    exits = _exits(entries, records)
    _compare_exits(exits, captures.left, result, until_ns=until_ns, late_ns=round(late_s * _NS_PER_S))
    _name_dropped(entries, result)
    _count(captures, len(entries), exits, result, until_ns=until_ns)
    return result


def _count(
    captures: BoxCaptures,
    entries: int,
    exits: dict[tuple[bool, bytes], list[_Exit]],
    result: Agreement,
    *,
    until_ns: int,
) -> None:
    """Say how much was compared, and what was not."""
    waiting = sum(each.t_ns >= until_ns and each.entry is not None for alike in exits.values() for each in alike)
    late = sum(each.t_ns >= until_ns for each in (*captures.entered, *captures.left))
    others = {"packets after the box had ended": late, "packets that waited when the box ended": waiting}
    result.compared = entries - waiting
    result.not_compared = {name: count for name, count in {**captures.left_out, **others}.items() if count}


def _records(truth: Iterable[dict[str, Any]], start_ns: int) -> Iterable[_Record]:
    flows: dict[int, tuple[str, int, str, int]] = {}
    for record in truth:
        event = record["event"]
        if event == "flow_opened":
            flows[record["flow"]] = (
                record["inside"], record["inside_port"], record["outside"], record["outside_port"],
            )  # fmt: skip
        elif event.startswith("packet_"):
            t_ns = start_ns + round(record["t"] * _NS_PER_S)
            yield _Record(event, t_ns, record["direction"] == "up", flows.get(record["flow"]), record)


def _join(entries: list[_Entry], records: list[_Record], result: Agreement) -> None:
    """Give each record the packet that it is about: of several alike, the last that came before it."""
    candidates = _Candidates(entries)
    held: set[tuple[bool, int]] = set()
    for record in sorted(records, key=lambda each: each.t_ns):
        entry = candidates.take(record)
        datagram = (record.upwards, record.fields["ip_id"])
        if record.event == "packet_held":
            held.add(datagram)
        if entry is not None:
            entry.record = record
        elif record.event == "packet_dropped" and datagram in held:
            result.logged -= 1  # a datagram put together; its fragments have been held, each by a record of its own
        else:
            result.only_log.append(_identity_of(record))


class _Candidates:
    """Packets that entered and have no record yet, alike ones together."""

    def __init__(self, entries: list[_Entry]) -> None:
        self._later: dict[tuple[bool, int, int], deque[_Entry]] = {}
        self._before: dict[tuple[bool, int, int], list[_Entry]] = {}
        for entry in entries:
            identity = entry.crossing.identity
            key = (identity.upwards, identity.ip_id, identity.length)
            self._later.setdefault(key, deque()).append(entry)

    def take(self, record: _Record) -> _Entry | None:
        """The packet of a record. Records must come in the order of time."""
        key = (record.upwards, record.fields["ip_id"], record.fields["length"])
        before, later = self._before.setdefault(key, []), self._later.get(key)
        while later and later[0].crossing.t_ns <= record.t_ns + _EARLY_NS:
            before.append(later.popleft())
        for index in range(len(before) - 1, -1, -1):
            if _is_about(record, before[index].crossing.identity):
                return before.pop(index)
        return None


def _is_about(record: _Record, identity: Identity) -> bool:
    return record.ends in {None, identity.ends} and record.fields.get("seq", identity.seq) == identity.seq


def _identity_of(record: _Record) -> Identity:
    fields = record.fields
    return Identity(
        record.upwards, *(record.ends or ("", 0, "", 0)), fields["ip_id"], fields.get("seq", 0), fields["length"]
    )


def _exits(entries: list[_Entry], records: list[_Record]) -> dict[tuple[bool, bytes], list[_Exit]]:
    """What has to come out by the log, alike ones together, in the order of time."""
    exits: dict[tuple[bool, bytes], list[_Exit]] = {}

    def add(data: bytes, exit_: _Exit) -> None:
        exits.setdefault((exit_.identity.upwards, data), []).append(exit_)

    for entry in entries:
        packet, record = entry.crossing, entry.record
        if record is None:
            add(packet.data, _Exit(packet.t_ns, packet.identity, entry))
        elif record.event == "packet_delayed":
            add(packet.data, _Exit(record.t_ns + record.fields["delay_ns"], packet.identity, entry))
    for record in records:
        if record.event in {"packet_injected", "packet_rewritten"}:
            data = bytes.fromhex(record.fields["data"])
            identity = crossing(data, record.t_ns, upwards=record.upwards).identity
            add(data, _Exit(record.t_ns, identity, None))
    for alike in exits.values():
        alike.sort(key=lambda each: each.t_ns)
    return exits


def _compare_exits(
    exits: dict[tuple[bool, bytes], list[_Exit]],
    left: list[Crossing],
    result: Agreement,
    *,
    until_ns: int,
    late_ns: int,
) -> None:
    """Take what left from what had to leave, in order."""
    waiting = {key: deque(alike) for key, alike in exits.items()}
    for packet in left:
        due = waiting.get((packet.identity.upwards, packet.data))
        if due:
            distance_ns = packet.t_ns - due.popleft().t_ns
            result.mistimed += not -_EARLY_NS <= distance_ns <= late_ns
            result.worst_s = max(result.worst_s, abs(distance_ns) / _NS_PER_S)
        elif packet.t_ns < until_ns:
            result.unexplained.append(packet.identity)
    for alike in waiting.values():
        for exit_ in alike:
            if exit_.t_ns >= until_ns:
                continue
            if exit_.entry is None:
                result.only_log.append(exit_.identity)
            else:
                result.only_captures.append(exit_.identity)
                result.dropped += 1
                result.entry_frames.append((exit_.entry.crossing.side, exit_.entry.crossing.number))
    result.only_captures.sort()


def _name_dropped(entries: list[_Entry], result: Agreement) -> None:
    """Count the drops that both witnesses have; one that came out all the same is in the log only."""
    surplus = Counter(result.unexplained)
    for entry in entries:
        if entry.record is None or entry.record.event != "packet_dropped":
            continue
        identity = entry.crossing.identity
        if surplus[identity]:
            surplus[identity] -= 1
            result.only_log.append(identity)
            result.unexplained.remove(identity)
        else:
            result.dropped += 1
            result.entry_frames.append((entry.crossing.side, entry.crossing.number))
    result.only_log.sort()
    result.unexplained.sort()
