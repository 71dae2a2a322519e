"""The box's log as a list of packets: what it says became of each, as far as it says anything.

A record names its packet by what a box has of it: direction, IP identification, length, sequence number where there is
one, the flow where there is one, and the time. Not for: whether it is true (agreement.py).
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final, NamedTuple

from testbed.records.crossings import Identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testbed.records.truth import TruthRecord, Way

    Ends = tuple[str, int, str, int]

__all__ = ["DISORDER_NS", "LoggedPacket", "PacketLog"]

_NS_PER_S: Final = 1_000_000_000
# A log is in the order of time but for what a box did to several packets at once.
DISORDER_NS: Final = 10 * _NS_PER_S
_FOREVER_NS: Final = 1 << 63


class LoggedPacket(NamedTuple):
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


class PacketLog:
    """The records of a log that are about packets, in the order of time; few are in memory at once.

    They are taken in the order of time, not of the log: what a box does later (to a packet it held or delayed) it also
    writes later, and packets must be offered to a record in the order in which the box met them.

    Args:
        truth: The box's records of truth.jsonl; None among them: there is no more for now, in a log that still grows.
        start_ns: The instant that is their ``t`` = 0, nanoseconds since 1970.

    Attributes:
        until_ns: When the box ended, nanoseconds since 1970, once that is known; later records are left out.
    """

    def __init__(self, truth: Iterable[TruthRecord | None], *, start_ns: int) -> None:
        self.until_ns = _FOREVER_NS
        self._records = _packets(truth, start_ns)
        self._read_until_ns = -DISORDER_NS
        self._waiting: list[tuple[int, int, LoggedPacket]] = []
        self._count = 0

    def until(self, t_ns: int) -> Iterator[LoggedPacket]:
        """Yield the next records, up to an instant (nanoseconds since 1970).

        A log that still grows has to be there up to `DISORDER_NS` after it.
        """
        while self._read_until_ns <= t_ns + DISORDER_NS and (record := next(self._records, None)) is not None:
            self._read_until_ns = record.t_ns
            self._count += 1  # of two at one instant, the first in the log comes first
            heapq.heappush(self._waiting, (record.t_ns, self._count, record))
        while self._waiting and self._waiting[0][0] <= t_ns:
            record = heapq.heappop(self._waiting)[2]
            if record.t_ns < self.until_ns:
                yield record


def _packets(truth: Iterable[TruthRecord | None], start_ns: int) -> Iterator[LoggedPacket | None]:
    """Yield what the log says of packets, each with the ends of its flow; None where there is no more for now."""
    flows: dict[int, Ends] = {}
    for record in truth:
        if record is None:
            yield None
            continue
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


def _of_a_packet(record: TruthRecord) -> LoggedPacket | None:
    """Read a record, if it is about a packet. When it was, and of which flow, the caller adds."""
    match record["event"]:
        case "packet_dropped":
            return LoggedPacket(
                record["event"], record["direction"], record["ip_id"], record["length"], seq=record.get("seq")
            )
        case "packet_delayed":
            return LoggedPacket(
                record["event"], record["direction"], record["ip_id"], record["length"], seq=record.get("seq"),
                delay_ns=record["delay_ns"],
            )  # fmt: skip
        case "packet_held":
            return LoggedPacket(record["event"], record["direction"], record["ip_id"], record["length"])
        case "packet_rewritten":
            return LoggedPacket(
                record["event"], record["direction"], record["ip_id"], record["length"], seq=record.get("seq"),
                data=bytes.fromhex(record["data"]),
            )  # fmt: skip
        case "packet_injected":
            return LoggedPacket(record["event"], record["direction"], data=bytes.fromhex(record["data"]))
        case _:
            return None
