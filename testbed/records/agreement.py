"""The box's log against the captures on both sides of it: two independent witnesses of every packet's fate.

Every IP packet that entered the box, fragments included, must leave it on the other side, bit by bit, at the same
instant, unless the log says that it was dropped, delayed, held or rewritten. Nothing else may leave it, except what
the log says was injected or rewritten.

The comparison has two halves. First every record of the log is joined with the packet that it is about, by
direction, five-tuple (where the log has the flow), IP identification, sequence number, length and time. That gives
each packet its fate, and so the list of what had to leave the box. Then the other capture is held against that
list, bit by bit. The halves are kept apart because they fail apart: a record without a packet is a wrong log, a
packet without a record is a drop that the log does not have.

None of the keys is unique. IP identifications are 16 bits and begin anew, hosts that do not fragment send 0 in all
of them, a retransmission has the sequence number and the length of the packet before it. Time decides between
packets that are alike in everything else.

The box's end is the end of the comparison: what came later, or waited then, is left out. What is left out is
counted and named in the result: a comparison tells what it looked at.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from testbed.records.crossings import BoxCaptures, Crossing, Identity, crossing, read_box_captures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.records.truth import TruthRecord, Way

    Ends = tuple[str, int, str, int]
    Exits = dict[tuple[bool, bytes], list["_Exit"]]

__all__ = ["Agreement", "BoxCaptures", "Identity", "compare", "read_box_captures"]

_NS_PER_S: Final = 1_000_000_000
_FOREVER_NS: Final = 1 << 63
# The kernel tells a queue when a packet arrived in whole microseconds (nfqnl_msg_packet_timestamp); captures have
# nanoseconds. So a record may stand up to a microsecond before its packet.
_EARLY_NS: Final = 1000


@dataclass(slots=True)
class Agreement:
    """What the comparison found.

    Attributes:
        compared: Packets that entered and whose fate, as the log has it, was looked for on the other side.
        not_compared: What the captures hold besides, by what it is: frames and packets of both sides.
        dropped: Packets that entered and did not leave, by the captures, except those held or rewritten.
        logged: Packets that the log says were dropped.
        delayed, held, rewritten, injected: Packets of which the log says so.
        only_captures, only_log: Drops in one of them only; in ``only_log`` also what else the captures lack.
        unexplained: Packets that left the box without having entered it, while no record says why.
        mistimed: Packets that left at another time than that of their arrival or, if delayed, of their departure.
        worst_s: The largest distance from that time, seconds.
        entry_frames: Where each dropped packet entered: (side, frame number).
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
    """What the log says of one packet.

    Attributes:
        event: The record's event.
        direction: Of the packet.
        ip_id, length: Of the packet; 0 where the box made it.
        seq: Sequence number, or None: the record of a fragment that was held has none.
        delay_ns: How much later a delayed packet leaves.
        data: What leaves in place of the packet, or beside all packets.
        t_ns: When the box did it, nanoseconds since 1970.
        ends: Of the packet's flow; None where the log has no flow, as for fragments.
    """

    event: str
    direction: Way
    ip_id: int = 0
    length: int = 0
    seq: int | None = None
    delay_ns: int = 0
    data: bytes = b""
    t_ns: int = 0
    ends: Ends | None = None

    @property
    def upwards(self) -> bool:
        """Whether the packet goes from the client."""
        return self.direction == "up"

    @property
    def is_fate(self) -> bool:
        """Whether it is about a packet that entered."""
        return self.event != "packet_injected"

    @property
    def makes_a_packet(self) -> bool:
        """Whether a packet leaves the box that did not enter it so."""
        return self.event in {"packet_injected", "packet_rewritten"}

    @property
    def identity(self) -> Identity:
        """The packet, as far as the record names it."""
        return Identity(self.upwards, *(self.ends or ("", 0, "", 0)), self.ip_id, self.seq or 0, self.length)


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
    truth: Iterable[TruthRecord],
    *,
    start_ns: int = 0,
    until_ns: int = _FOREVER_NS,
    late_s: float = 0.02,
) -> Agreement:
    """Compare the captures of one box with its log.

    Args:
        captures: Both sides.
        truth: The box's records of truth.jsonl, in order.
        start_ns: The instant that is their ``t`` = 0, nanoseconds since 1970.
        until_ns: When the box ended, likewise.
        late_s: How late a packet may leave; a box in real time needs some.
    """
    result = Agreement()
    records = [each for each in _records(truth, start_ns) if each.t_ns < until_ns]
    entries = [_Entry(each) for each in captures.entered if each.t_ns < until_ns]
    # The order of the steps matters: exits follow from the joined records, and which drops both witnesses have
    # shows only once it is known what came out.
    _join(entries, [each for each in records if each.is_fate], result)
    kinds = Counter(each.event for each in records)
    result.logged += kinds["packet_dropped"]  # joining has taken off those of datagrams put together
    result.delayed, result.held = kinds["packet_delayed"], kinds["packet_held"]
    result.rewritten, result.injected = kinds["packet_rewritten"], kinds["packet_injected"]
    exits = _exits(entries, records)
    _compare_exits(exits, captures.left, result, until_ns=until_ns, late_ns=round(late_s * _NS_PER_S))
    _name_dropped(entries, result)
    _count(captures, len(entries), exits, result, until_ns=until_ns)
    return result


def _count(captures: BoxCaptures, entries: int, exits: Exits, result: Agreement, *, until_ns: int) -> None:
    """Say how much was compared, and what was not."""
    # A delayed packet that was still in the box when it ended is neither dropped nor passed: nobody can say.
    waiting = sum(each.t_ns >= until_ns and each.entry is not None for alike in exits.values() for each in alike)
    late = sum(each.t_ns >= until_ns for each in (*captures.entered, *captures.left))
    others = {"packets after the box had ended": late, "packets that waited when the box ended": waiting}
    result.compared = entries - waiting
    result.not_compared = {name: count for name, count in {**captures.left_out, **others}.items() if count}


def _records(truth: Iterable[TruthRecord], start_ns: int) -> Iterable[_Record]:
    """Yield what the log says of packets, each with the ends of its flow."""
    flows: dict[int, Ends] = {}
    for record in truth:
        # A number stands for one flow from its opening on; where a box begins its numbers anew, the later flow counts.
        if record["event"] == "flow_opened":
            flows[record["flow"]] = (
                record["inside"], record["inside_port"], record["outside"], record["outside_port"],
            )  # fmt: skip
            continue
        found = _of_a_packet(record)
        if found is not None:
            t_ns = start_ns + round(record["t"] * _NS_PER_S)
            yield found._replace(t_ns=t_ns, ends=flows.get(record["flow"] or 0))


def _of_a_packet(record: TruthRecord) -> _Record | None:
    """Read a record, if it is about a packet. When it was, and of which flow, the caller adds."""
    match record["event"]:
        case "packet_dropped":
            return _Record(
                record["event"], record["direction"], record["ip_id"], record["length"], seq=record.get("seq")
            )
        case "packet_delayed":
            return _Record(
                record["event"], record["direction"], record["ip_id"], record["length"], seq=record.get("seq"),
                delay_ns=record["delay_ns"],
            )  # fmt: skip
        case "packet_held":
            return _Record(record["event"], record["direction"], record["ip_id"], record["length"])
        case "packet_rewritten":
            return _Record(
                record["event"], record["direction"], record["ip_id"], record["length"], seq=record.get("seq"),
                data=bytes.fromhex(record["data"]),
            )  # fmt: skip
        case "packet_injected":
            return _Record(record["event"], record["direction"], data=bytes.fromhex(record["data"]))
        case _:
            return None


def _join(entries: list[_Entry], records: list[_Record], result: Agreement) -> None:
    """Give each record the packet that it is about: of several alike, the last that came before it.

    Records are taken in the order of time, not of the log: what a box does later (to a packet it held or delayed)
    it also writes later, and packets must be offered to a record in the order in which the box met them.
    """
    candidates = _Candidates(entries)
    held: set[tuple[bool, int]] = set()
    for record in sorted(records, key=lambda each: each.t_ns):
        entry = candidates.take(record)
        datagram = (record.upwards, record.ip_id)
        if record.event == "packet_held":
            held.add(datagram)
        if entry is not None:
            entry.record = record
        elif record.event == "packet_dropped" and datagram in held:
            # The box drops a datagram that it put together. No such packet entered: its fragments did, and each has
            # a record of its own that says it was held. Counting it as a drop, too, would count its bytes twice.
            result.logged -= 1
        else:
            result.only_log.append(record.identity)


class _Candidates:
    """Packets that entered and have no record yet, alike ones together.

    They are alike in direction, IP identification and length: what every record has. Each group is two queues,
    those that may already have come when the present record was written, and those still to come.
    """

    def __init__(self, entries: list[_Entry]) -> None:
        self._later: dict[tuple[bool, int, int], deque[_Entry]] = {}
        self._before: dict[tuple[bool, int, int], list[_Entry]] = {}
        for entry in entries:
            identity = entry.crossing.identity
            key = (identity.upwards, identity.ip_id, identity.length)
            self._later.setdefault(key, deque()).append(entry)

    def take(self, record: _Record) -> _Entry | None:
        """Return the packet of a record, and offer it no more. Records must come in the order of time."""
        key = (record.upwards, record.ip_id, record.length)
        before, later = self._before.setdefault(key, []), self._later.get(key)
        # Both queues keep the order of the capture, so that each packet is moved once, and all records together take
        # time in proportion to the packets: runs have hundreds of thousands.
        while later and later[0].crossing.t_ns <= record.t_ns + _EARLY_NS:
            before.append(later.popleft())
        # From the latest back: a box decides on a packet before the next one reaches it, so the packet meant is the
        # one that came last. Older ones alike have passed, and have no record.
        for index in range(len(before) - 1, -1, -1):
            if _is_about(record, before[index].crossing.identity):
                return before.pop(index)
        return None


def _is_about(record: _Record, identity: Identity) -> bool:
    """Whether a record agrees with a packet in what it has; what it has not (flow, sequence number) cannot disagree."""
    return record.ends in {None, identity.ends} and record.seq in {None, identity.seq}


def _exits(entries: list[_Entry], records: list[_Record]) -> Exits:
    """Return what has to leave the box by the log, packets of the same bytes together, in the order of time.

    A packet that no record is about has to leave as it came, at the instant of its arrival. One that was dropped,
    held or rewritten has no exit of its own.
    """
    exits: Exits = {}

    def add(data: bytes, exit_: _Exit) -> None:
        exits.setdefault((exit_.identity.upwards, data), []).append(exit_)

    for entry in entries:
        packet, record = entry.crossing, entry.record
        if record is None:  # it passed: the box has nothing to say of most packets
            add(packet.data, _Exit(packet.t_ns, packet.identity, entry))
        elif record.event == "packet_delayed":
            add(packet.data, _Exit(record.t_ns + record.delay_ns, packet.identity, entry))
    for record in records:
        if record.makes_a_packet:
            identity = crossing(record.data, record.t_ns, upwards=record.upwards).identity
            add(record.data, _Exit(record.t_ns, identity, None))
    for alike in exits.values():
        alike.sort(key=lambda each: each.t_ns)
    return exits


def _compare_exits(
    exits: Exits,
    left: list[Crossing],
    result: Agreement,
    *,
    until_ns: int,
    late_ns: int,
) -> None:
    """Take what left from what had to leave, in order.

    What is due and never left is missing: a packet that entered was dropped without a record, one of the box's own
    making was announced and not sent. A packet that left and was not due is unexplained. Only packets due before
    the box's end can be missing, for a delayed one may still wait in it.
    """
    waiting = {key: deque(alike) for key, alike in exits.items()}
    for packet in left:
        # By all of its bytes, not by its identity: a packet that the box changed without saying so is another packet.
        due = waiting.get((packet.identity.upwards, packet.data))
        if due:
            # Of packets with the same bytes, the first due is the first to leave: the box keeps their order.
            distance_ns = packet.t_ns - due.popleft().t_ns
            result.mistimed += not -_EARLY_NS <= distance_ns <= late_ns
            result.worst_s = max(result.worst_s, abs(distance_ns) / _NS_PER_S)
        elif packet.t_ns < until_ns:
            result.unexplained.append(packet.identity)
    for alike in waiting.values():
        for exit_ in alike:
            if exit_.t_ns >= until_ns:
                continue
            if exit_.entry is None:  # the box says that it sent this, and nobody saw it
                result.only_log.append(exit_.identity)
            else:
                result.only_captures.append(exit_.identity)
                result.dropped += 1
                result.entry_frames.append((exit_.entry.crossing.side, exit_.entry.crossing.number))
    result.only_captures.sort()  # the result must not depend on the order in which dictionaries were filled


def _name_dropped(entries: list[_Entry], result: Agreement) -> None:
    """Count the drops that both witnesses have; a packet that left all the same is dropped in the log only.

    Such a packet is "unexplained" so far: it left, and its record says that it must not. Together the two are one
    disagreement, not two. They are told by identity, as often as there are packets alike.
    """
    surplus = Counter(result.unexplained)
    for entry in entries:
        if entry.record is None or entry.record.event != "packet_dropped":
            continue
        identity = entry.crossing.identity
        # One unexplained packet takes one drop back. Where two alike were dropped and one came out, one drop stays.
        if surplus[identity]:
            surplus[identity] -= 1
            result.only_log.append(identity)
            result.unexplained.remove(identity)
        else:
            result.dropped += 1
            result.entry_frames.append((entry.crossing.side, entry.crossing.number))
    result.only_log.sort()
    result.unexplained.sort()
