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

Both sides and the log are gone through side by side, in the order of time, and what is settled is forgotten: the memory
that a comparison takes does not grow with the run. So it may go on while the captures and the log are still written
(`Comparison.follow`), and takes the same steps then as when all is there at once (`compare`).

The box's end is the end of the comparison: what came later, or waited then, is left out. What is left out is
counted and named in the result: a comparison tells what it looked at.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from testbed.records.crossings import BothSides, BoxCaptures, Crossing, Identity, crossing, read_box_captures
from testbed.records.packet_log import DISORDER_NS, PacketLog
from testbed.records.unsettled import EARLY_NS, Candidates, Entry, Exit, Exits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.records.packet_log import LoggedPacket
    from testbed.records.truth import TruthRecord

__all__ = ["Agreement", "BoxCaptures", "Comparison", "Identity", "compare", "read_box_captures"]

_NS_PER_S: Final = 1_000_000_000
_FOREVER_NS: Final = 1 << 63
# How long a packet is remembered that entered: by then its record has come. A box writes down the instant of a packet's
# arrival, so that the two lie a microsecond apart; a later record is one without a packet.
_SETTLED_NS: Final = _NS_PER_S


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
        entry_frames: Where each dropped packet entered: (side, frame number), where that was asked for.
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

    Raises:
        CaptureError: A capture cannot be read.
    """
    return Comparison(captures.both_sides(), truth, start_ns=start_ns, late_s=late_s).end(until_ns)


class Comparison:
    """One box's log and captures, and what is not settled yet of their packets and records.

    Args:
        sides: The captures of both sides.
        truth: The box's records of truth.jsonl, in order; None among them: there is no more for now.
        start_ns: The instant that is their ``t`` = 0, nanoseconds since 1970.
        late_s: How late a packet may leave; a box in real time needs some.
        names_frames: Whether the frames of dropped packets are asked for: a long run has more than there is memory for.
    """

    def __init__(
        self,
        sides: BothSides,
        truth: Iterable[TruthRecord | None],
        *,
        start_ns: int = 0,
        late_s: float = 0.02,
        names_frames: bool = True,
    ) -> None:
        self._sides = sides
        self._log = PacketLog(truth, start_ns=start_ns)
        self._until_ns, self._late_ns = _FOREVER_NS, round(late_s * _NS_PER_S)
        self._names_frames = names_frames
        self._result = Agreement()
        self._candidates = Candidates()
        self._held: set[tuple[bool, int]] = set()
        self._entries: deque[Entry] = deque()
        self._exits = Exits()
        self._left: deque[Crossing] = deque()
        self._dropped: deque[Entry] = deque()
        self._departures: list[int] = []  # of delayed packets, those to come; a heap
        self._advanced_ns = 0
        self._entered = self._late = 0

    def follow(self, known_ns: int) -> None:
        """Compare what is known by now, while the box still works.

        Args:
            known_ns: An instant, nanoseconds since 1970, that the box has lived to see: whatever it wrote into its log
                by then is there.

        Raises:
            CaptureError: A capture cannot be read.
            RecordError: The log cannot be read.
        """
        # The log is in the order of time but for so much; a later record may be about an earlier packet.
        self._take_until(known_ns - DISORDER_NS)

    def end(self, until_ns: int) -> Agreement:
        """Compare the rest, and return what was found: captures and log are whole now.

        Args:
            until_ns: When the box ended, nanoseconds since 1970.

        Raises:
            CaptureError: A capture cannot be read.
            RecordError: The log cannot be read.
        """
        self._until_ns = self._log.until_ns = until_ns
        self._take_until(_FOREVER_NS)
        self._advance(_FOREVER_NS + 4 * _SETTLED_NS)
        result = self._result
        for exit_ in self._exits.rest():
            self._miss(exit_)
        result.only_captures.sort()  # the result must not depend on the order in which dictionaries were filled
        result.only_log.sort()
        result.unexplained.sort()
        # A delayed packet that was still in the box when it ended is neither dropped nor passed: nobody can say.
        waiting = len(self._departures)
        others = {
            "packets after the box had ended": self._late, "packets that waited when the box ended": waiting,
        }  # fmt: skip
        result.compared = self._entered - waiting
        result.not_compared = {name: count for name, count in {**self._sides.left_out, **others}.items() if count}
        return result

    def _take_until(self, t_ns: int) -> None:
        for each in self._sides.until(t_ns):
            # In steps, for what is settled is settled together; before the packet is taken, which may come much later.
            if each.t_ns >= self._advanced_ns + _SETTLED_NS:
                self._advanced_ns = each.t_ns
                self._advance(self._advanced_ns - 1)
            self._take(each)

    def _take(self, packet: Crossing) -> None:
        """Take the next packet, of either side."""
        is_late = packet.t_ns >= self._until_ns
        self._late += is_late
        if not packet.entered:
            self._left.append(packet)
        elif not is_late:
            entry = Entry(packet)
            self._entered += 1
            self._entries.append(entry)
            self._candidates.add(entry)

    def _advance(self, now_ns: int) -> None:
        """Settle what can be: all packets up to ``now_ns`` have been taken.

        The order of the steps matters, and so do the distances: exits follow from the joined records, and which drops
        both witnesses have shows only once it is known what came out.
        """
        for record in self._log.until(now_ns - EARLY_NS):
            self._join(record)
        self._release(now_ns - _SETTLED_NS)
        self._match(now_ns - 2 * _SETTLED_NS)
        self._count_dropped(now_ns - 4 * _SETTLED_NS)
        # The box may have ended at any instant from now on: what was to leave before that does not wait in it.
        while self._departures and self._departures[0] <= min(now_ns, self._until_ns - 1):
            heappop(self._departures)

    def _join(self, record: LoggedPacket) -> None:
        """Give a record the packet that it is about: of several alike, the last that came before it."""
        result = self._result
        result.logged += record.event == "packet_dropped"
        result.delayed += record.event == "packet_delayed"
        result.held += record.event == "packet_held"
        result.rewritten += record.event == "packet_rewritten"
        result.injected += record.event == "packet_injected"
        if record.makes_a_packet:
            identity = crossing(record.data, record.t_ns, upwards=record.upwards).identity
            self._exits.add(self._sides.kept_of(record.data), Exit(record.t_ns, identity, None))
        if not record.is_fate:
            return
        entry = self._candidates.take(record)
        datagram = (record.upwards, record.ip_id)
        if record.event == "packet_held":
            self._held.add(datagram)
        if entry is not None:
            entry.record = record
        elif record.event == "packet_dropped" and datagram in self._held:
            # The box drops a datagram that it put together. No such packet entered: its fragments did, and each has
            # a record of its own that says it was held. Counting it as a drop, too, would count its bytes twice.
            result.logged -= 1
        else:
            result.only_log.append(record.identity)

    def _release(self, until_ns: int) -> None:
        """Say of packets that entered until then what has to leave the box.

        A packet that no record is about has to leave as it came, at the instant of its arrival. One that was dropped,
        held or rewritten has no exit of its own.
        """
        while self._entries and self._entries[0].crossing.t_ns <= until_ns:
            entry = self._entries.popleft()
            packet, record = entry.crossing, entry.record
            if record is None:  # it passed: the box has nothing to say of most packets
                self._candidates.forget(entry)
                self._exits.add(packet.data, Exit(packet.t_ns, packet.identity, entry))
            elif record.event == "packet_delayed":
                due_ns = record.t_ns + record.delay_ns
                heappush(self._departures, due_ns)
                self._exits.add(packet.data, Exit(due_ns, packet.identity, entry))
            elif record.event == "packet_dropped":
                self._dropped.append(entry)

    def _match(self, until_ns: int) -> None:
        """Take what left until then from what had to leave, in order.

        What is due and never leaves is missing at the end. A packet that left and was not due is unexplained.
        """
        result = self._result
        while self._left and self._left[0].t_ns <= until_ns:
            packet = self._left.popleft()
            due = self._exits.take(packet)
            if due is not None:
                distance_ns = packet.t_ns - due.t_ns
                result.mistimed += not -EARLY_NS <= distance_ns <= self._late_ns
                result.worst_s = max(result.worst_s, abs(distance_ns) / _NS_PER_S)
            elif packet.t_ns < self._until_ns:
                result.unexplained.append(packet.identity)

    def _miss(self, exit_: Exit) -> None:
        """Note what never left: dropped without a record, or announced and not sent.

        Only packets due before the box's end can be missing, for a delayed one may still wait in it.
        """
        if exit_.t_ns >= self._until_ns:
            return
        if exit_.entry is None:  # the box says that it sent this, and nobody saw it
            self._result.only_log.append(exit_.identity)
            return
        self._result.only_captures.append(exit_.identity)
        self._note_drop(exit_.entry)

    def _count_dropped(self, until_ns: int) -> None:
        """Count the drops that both witnesses have; a packet that left all the same is dropped in the log only.

        Such a packet is "unexplained" so far: it left, and its record says that it must not. Together the two are one
        disagreement, not two. They are told by identity, as often as there are packets alike.
        """
        unexplained = self._result.unexplained
        while self._dropped and self._dropped[0].crossing.t_ns <= until_ns:
            entry = self._dropped.popleft()
            identity = entry.crossing.identity
            # One unexplained packet takes one drop back. Where two alike were dropped and one came out, one drop stays.
            if identity in unexplained:
                unexplained.remove(identity)
                self._result.only_log.append(identity)
            else:
                self._note_drop(entry)

    def _note_drop(self, entry: Entry) -> None:
        self._result.dropped += 1
        if self._names_frames:
            self._result.entry_frames.append((entry.crossing.side, entry.crossing.number))
