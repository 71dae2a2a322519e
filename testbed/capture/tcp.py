"""What one endpoint of a flow sent: wire packets, retransmissions, acknowledgement times, losses.

The rules are those of the policing detector's released analysis (Flach et al., SIGCOMM 2016, §3; repository
USC-NSL/policing-detection at 95dcfbd), so that its verdicts can be reproduced; nothing in them is special to policing.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.capture.packets import ACK, SYN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.capture.flows import Flow

__all__ = ["NEVER", "Sent", "segment_size", "sent_by"]

NEVER: Final = -1
_TIMESTAMP_OPTION_BYTES: Final = 12
_ETHERNET_SEGMENT_BYTES: Final = 1460
_SMALLEST_ESTIMATE_BYTES: Final = 500  # shorter packets say nothing about the segment size
_SEGMENTS_PER_BUFFER: Final = range(2, 10)
_SEARCH_BLOCK: Final = 256


@dataclass(frozen=True, slots=True)
class Sent:
    """n packets of one direction as they went over the wire; offloaded buffers are split into segments.

    Attributes:
        row: Row in the flow, int64, shape (n,); segments of one buffer share it.
        t_ns: Time stamps, int64, shape (n,).
        seq: First sequence number, unwrapped, int64, shape (n,).
        payload: Bytes carried, int64, shape (n,).
        retransmitted: Whether a later packet carried its first byte again, bool, shape (n,).
        spurious: Whether a DSACK showed that the retransmission had not been needed, bool, shape (n,).
        is_retransmission: Whether it carried nothing new, bool, shape (n,).
        acked_row: Row of the packet that acknowledged it, by number or by SACK, `NEVER` if none did, int64, shape (n,).
    """

    row: NDArray[np.int64]
    t_ns: NDArray[np.int64]
    seq: NDArray[np.int64]
    payload: NDArray[np.int64]
    retransmitted: NDArray[np.bool_]
    spurious: NDArray[np.bool_]
    is_retransmission: NDArray[np.bool_]
    acked_row: NDArray[np.int64]

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Packets taken for lost: retransmitted, and not shown to be spurious."""
        return self.retransmitted & ~self.spurious

    def __len__(self) -> int:
        return len(self.row)


def segment_size(flow: Flow, *, from_a: bool) -> int:
    """Return the payload bytes of a full segment of one direction, or 0 if unknown.

    The endpoint that sent the first packet is bound by its own SYN, the other one by the first packet's MSS option: the
    released analysis reads them so, and both ends usually announce alike. Without a SYN, the first packet of more than
    500 bytes is taken for a multiple of a segment.
    """
    return _segment_size(flow, from_a=from_a)[0]


def _segment_size(flow: Flow, *, from_a: bool) -> tuple[int, int]:
    """Return the segment size and the row of the flow from which on it was known."""
    # as the released analysis reads it: from the first packet's option, though it binds the other end
    if not from_a and (size := _announced(flow, 0)):
        return size, 0
    telling = (flow.from_a == from_a) & (((flow.flags & SYN) != 0) | (flow.payload > _SMALLEST_ESTIMATE_BYTES))
    for row in np.flatnonzero(telling).tolist():
        size = _announced(flow, row) if flow.flags[row] & SYN else _estimate(int(flow.payload[row]))
        if size:
            return size, row
    return 0, len(flow)


def _announced(flow: Flow, row: int) -> int:
    size = int(flow.mss[row])
    # options take their room from the payload, and the number announced does not count them (RFC 6691)
    return size - _TIMESTAMP_OPTION_BYTES if size and flow.timestamps[row] else size


def _estimate(payload: int) -> int:
    if payload <= _SMALLEST_ESTIMATE_BYTES:
        return 0
    if payload <= _ETHERNET_SEGMENT_BYTES:
        return payload
    for segments in _SEGMENTS_PER_BUFFER:
        if payload % segments == 0 and payload // segments <= _ETHERNET_SEGMENT_BYTES:
            return payload // segments
    return 0


def sent_by(flow: Flow, *, from_a: bool) -> Sent:
    """Follow one direction of a flow and the acknowledgements that came back.

    Args:
        flow: A flow captured at or near this direction's sender; elsewhere, losses upstream of the tap stay unseen.
        from_a: Which direction.
    """
    row, seq, payload = _split(flow, from_a=from_a)
    end = seq + payload
    if not len(row):
        return _nothing_sent()
    # the first packet of the flow tells where both directions begin, if it carries an acknowledgement
    origin = flow.ack[0] if not from_a and flow.flags[0] & ACK else seq[0]
    # A packet with any new byte is no retransmission, though it may carry old ones besides: so the released analysis
    # counts.
    highest = np.maximum.accumulate(np.concatenate([[origin], np.where(payload > 0, end, origin)]))[:-1]
    again = (payload > 0) & (end <= highest)
    carried_by = _previous_transmissions(seq, end, np.flatnonzero(again))
    retransmitted = np.zeros(len(row), np.bool_)
    retransmitted_row = np.full(len(row), len(flow), np.int64)
    for place, earlier in carried_by:
        retransmitted[earlier] = True
        retransmitted_row[earlier] = min(retransmitted_row[earlier], row[place])
    spurious = _spurious(flow, row, seq, end, retransmitted_row, from_a=from_a)
    return Sent(
        row=row,
        t_ns=flow.t_ns[row],
        seq=seq,
        payload=payload,
        retransmitted=retransmitted,
        spurious=spurious,
        is_retransmission=again,
        acked_row=_acknowledged(flow, row, seq, end, from_a=from_a),
    )


def _nothing_sent() -> Sent:
    none, never = np.zeros(0, np.int64), np.zeros(0, np.bool_)
    return Sent(none, none, none, none, never, never, never, none)


def _split(flow: Flow, *, from_a: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return row, seq and payload of the packets on the wire: buffers longer than a segment become several."""
    row = np.flatnonzero(flow.from_a == from_a)
    seq, payload = flow.seq[row], flow.payload[row]
    size, known_from = _segment_size(flow, from_a=from_a)
    # With segmentation offload, a capture at the sender shows buffers of up to 64 kB. On the wire, and at a
    # policer, they were segments, each lost or not by itself.
    too_long = (payload > size) & (row >= known_from)
    if not too_long.any():
        return row, seq, payload
    pieces = np.where(too_long, -(-payload // max(size, 1)), 1)
    which = np.repeat(np.arange(len(row)), pieces)
    number = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    whole = pieces[which] == 1
    offset = np.where(whole, 0, number * size)
    length = np.where(whole, payload[which], np.minimum(size, payload[which] - offset))
    return row[which], seq[which] + offset, length


def _previous_transmissions(
    seq: NDArray[np.int64], end: NDArray[np.int64], again: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Pair each retransmission with the latest packet before it that held its first sequence number."""
    pairs: list[tuple[int, int]] = []
    for place in again.tolist():
        # Backwards in blocks that double: the packet looked for is nearly always a round trip ago, and may be at the
        # very beginning. A search of all before it would take time in the square of the packets.
        first, stop, width = seq[place], place, _SEARCH_BLOCK
        while stop > 0:
            start = max(0, stop - width)
            before = seq[start:stop]
            found = np.flatnonzero((before == first) | ((before < first) & (first < end[start:stop])))
            if len(found):
                pairs.append((place, start + int(found[-1])))
                break
            stop, width = start, width * 2
    return pairs


def _spurious(
    flow: Flow,
    row: NDArray[np.int64],
    seq: NDArray[np.int64],
    end: NDArray[np.int64],
    retransmitted_row: NDArray[np.int64],
    *,
    from_a: bool,
) -> NDArray[np.bool_]:
    """Mark, for each DSACK (RFC 2883), the latest retransmitted packet that held the range."""
    spurious = np.zeros(len(row), np.bool_)
    acks_row, start, stop = _sack_blocks(flow, from_a=from_a)
    # RFC 2883 §4: a block below the acknowledgement number reports what came twice
    duplicate = (start < flow.ack[acks_row]) & (stop <= flow.ack[acks_row])
    candidates = np.flatnonzero(retransmitted_row < len(flow))
    for ack_row, first, last in zip(acks_row[duplicate], start[duplicate], stop[duplicate], strict=True):
        low, high = seq[candidates], end[candidates]
        held = (
            (retransmitted_row[candidates] < ack_row)
            & ((first == low) | ((low < first) & (first < high)))
            & ((last == high) | ((low < last) & (last < high)))
        )
        found = np.flatnonzero(held)
        if len(found):
            spurious[candidates[found[-1]]] = True
    return spurious


def _sack_blocks(flow: Flow, *, from_a: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the flow row and edges of every SACK block that acknowledges this direction."""
    owner = np.repeat(np.arange(len(flow)), flow.sack_count)
    mine = (flow.from_a[owner] != from_a) & ((flow.flags[owner] & ACK) != 0)
    return owner[mine], flow.sack_start[mine], flow.sack_end[mine]


def _acknowledged(
    flow: Flow,
    row: NDArray[np.int64],
    seq: NDArray[np.int64],
    end: NDArray[np.int64],
    *,
    from_a: bool,
) -> NDArray[np.int64]:
    """Return the row of the first later ACK that covers each packet, by its number or by a SACK block."""
    by_number = _acknowledged_by_number(flow, row, end, from_a=from_a)
    by_sack = _acknowledged_by_sack(flow, row, seq, end, from_a=from_a)
    nowhere = len(flow)
    acked = np.minimum(by_number, by_sack)
    return np.where((acked == nowhere) | (end == seq), NEVER, acked)


def _acknowledged_by_number(
    flow: Flow, row: NDArray[np.int64], end: NDArray[np.int64], *, from_a: bool
) -> NDArray[np.int64]:
    acks = np.flatnonzero((flow.from_a != from_a) & ((flow.flags & ACK) != 0))
    if not len(acks) or not len(row):
        return np.full(len(row), len(flow), np.int64)
    # acknowledgements may overtake each other; a number that was reached stays reached
    highest = np.maximum.accumulate(flow.ack[acks])
    advanced = np.concatenate([[True], highest[1:] > highest[:-1]])
    looked_at = advanced | (flow.sack_count[acks] > 0)  # a plain duplicate ACK acknowledges nothing anew
    acks, highest = acks[looked_at], highest[looked_at]
    place = np.maximum(np.searchsorted(highest, end, side="left"), np.searchsorted(acks, row, side="right"))
    return np.concatenate([acks, [len(flow)]])[place]


def _acknowledged_by_sack(
    flow: Flow,
    row: NDArray[np.int64],
    seq: NDArray[np.int64],
    end: NDArray[np.int64],
    *,
    from_a: bool,
) -> NDArray[np.int64]:
    result = np.full(len(row), len(flow), np.int64)
    acks_row, start, stop = _sack_blocks(flow, from_a=from_a)
    if not len(acks_row):
        return result
    order = np.lexsort((row, seq))
    order = order[end[order] > seq[order]]
    firsts, lasts, rows = seq[order].tolist(), end[order].tolist(), row[order].tolist()
    following = list(range(len(firsts) + 1))  # the next packet not yet acknowledged: a forest with path halving
    found: list[tuple[int, int]] = []

    def skip_to(place: int) -> int:
        while following[place] != place:
            following[place] = following[following[place]]
            place = following[place]
        return place

    for ack_row, first, last in zip(acks_row.tolist(), start.tolist(), stop.tolist(), strict=True):
        place = skip_to(bisect_left(firsts, first))
        while place < len(firsts) and firsts[place] < last:
            if lasts[place] <= last and rows[place] < ack_row:
                found.append((place, ack_row))
                following[place] = place + 1
            place = skip_to(place + 1)
    for place, ack_row in found:
        result[order[place]] = ack_row
    return result
