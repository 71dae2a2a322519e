"""Group a capture's packets into TCP flows with directions and unwrapped sequence numbers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.capture.files import read_records
from testbed.capture.headers import parse_packets
from testbed.capture.hellos import HelloFinder
from testbed.capture.packets import ACK, SYN, Packets, concatenate, mix_columns, ragged_rows
from testbed.records.capture_file import CHUNK_BYTES, CaptureNotes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Capture", "Flow", "group_flows", "iter_packets", "read_capture"]

_IPV4_PREFIX: Final = 0xFFFF << 32


@dataclass(frozen=True, slots=True)
class Flow:
    """One TCP five-tuple, both directions, in the order of the capture. Arrays have shape (n,) unless said otherwise.

    Endpoint *a* sent the first packet of the flow that was captured.

    Attributes:
        a, b: Address and port of the endpoints.
        index: Record numbers in the file, int64.
        t_ns: Time stamps, nanoseconds since 1970, int64.
        from_a: Direction, bool.
        seq: Sequence numbers without wraparound, int64; those of one direction start at the value on the wire.
        ack: Acknowledgement numbers on the scale of the other direction's ``seq``, int64; only valid with the ACK
            flag.
        payload: TCP payload bytes, int64.
        flags: TCP flags, uint16.
        window: Unscaled window, uint16.
        mss: Announced maximum segment size, 0 where absent, uint16.
        timestamps: Whether the timestamps option is there, bool.
        ip_id: IPv4 identification, -1 for IPv6, int32.
        ttl: Time to live or hop limit, uint8.
        sack_count: SACK blocks of each packet, uint8.
        sack_start, sack_end: Block edges on the scale of ``ack``, int64, shape (sum of sack_count,).
        server_name: Name in the first ClientHello, or None.
    """

    a: tuple[str, int]
    b: tuple[str, int]
    index: NDArray[np.int64]
    t_ns: NDArray[np.int64]
    from_a: NDArray[np.bool_]
    seq: NDArray[np.int64]
    ack: NDArray[np.int64]
    payload: NDArray[np.int64]
    flags: NDArray[np.uint16]
    window: NDArray[np.uint16]
    mss: NDArray[np.uint16]
    timestamps: NDArray[np.bool_]
    ip_id: NDArray[np.int32]
    ttl: NDArray[np.uint8]
    sack_count: NDArray[np.uint8]
    sack_start: NDArray[np.int64]
    sack_end: NDArray[np.int64]
    server_name: str | None

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: NDArray[np.int64]) -> Flow:
        """Return the flow with the packets at ``rows`` alone, in that order."""
        blocks = ragged_rows(self.sack_count, rows)
        whole = ("a", "b", "server_name")
        columns = {
            column.name: getattr(self, column.name)[blocks if column.name in ("sack_start", "sack_end") else rows]
            for column in fields(self)
            if column.name not in whole
        }
        return replace(self, **columns)

    @property
    def a_is_client(self) -> bool:
        """Whether *a* opened the connection.

        The SYN tells, or else the answer to it. In a capture that began later, the higher port is taken for the
        client's: servers listen on low ones.
        """
        syn = np.flatnonzero(self.flags & SYN)
        if len(syn):
            answer = bool(self.flags[syn[0]] & ACK)
            return bool(self.from_a[syn[0]]) != answer
        return self.a[1] >= self.b[1]


@dataclass(frozen=True, slots=True)
class Capture:
    """What was read of one capture file.

    Attributes:
        path: The file.
        flows: In the order of their first packet.
        notes: What was left out and why.
    """

    path: Path
    flows: tuple[Flow, ...]
    notes: CaptureNotes


def iter_packets(
    path: str | Path,
    *,
    notes: CaptureNotes | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    regular_only: bool = False,
) -> Iterator[Packets]:
    """Yield a capture's TCP packets a chunk at a time; memory does not grow with the file.

    Args:
        path: A pcap or pcapng file, plain, gzip or xz; a pipe; or ``-``.
        notes: Filled with what was read and left out.
        chunk_bytes: Uncompressed bytes to hold at a time.
        regular_only: See `testbed.records.byte_stream.opened`.

    Raises:
        CaptureError: See `read_records`; or none of the first million records holds TCP.
    """
    notes = CaptureNotes() if notes is None else notes
    hellos = HelloFinder()
    for chunk in read_records(path, notes=notes, chunk_bytes=chunk_bytes, regular_only=regular_only):
        yield parse_packets(chunk, notes, hellos)
        notes.check_use(str(path), notes.tcp, "a TCP packet")


def read_capture(path: str | Path, *, chunk_bytes: int = CHUNK_BYTES, regular_only: bool = False) -> Capture:
    """Read a capture's TCP flows. Payload is not kept: memory is about 250 bytes a TCP packet while reading, 100 after.

    Raises:
        CaptureError: See `read_records`.
    """
    notes = CaptureNotes()
    parts = list(iter_packets(path, notes=notes, chunk_bytes=chunk_bytes, regular_only=regular_only))
    flows: list[Flow] = []
    if parts:
        packets = concatenate(parts)
        parts.clear()  # their memory is needed for the flows
        flows = group_flows(packets)
    if notes.tcp == 0:
        notes.remarks.append("no TCP packets")
    return Capture(path=Path(path), flows=tuple(flows), notes=notes)


def group_flows(packets: Packets) -> list[Flow]:
    """Return the flows of ``packets`` in the order of their first packet: one a connection, see `_connections`."""
    if not len(packets):
        return []
    # Both directions of a five-tuple get one key: the smaller end first. Which way a packet went is kept beside it.
    src = (packets.src_high, packets.src_low, packets.src_port.astype(np.uint64))
    dst = (packets.dst_high, packets.dst_low, packets.dst_port.astype(np.uint64))
    flipped = _greater(src, dst)
    key = np.column_stack(
        [np.where(flipped, d, s) for s, d in zip(src, dst, strict=True)]
        + [np.where(flipped, s, d) for s, d in zip(src, dst, strict=True)]
    )
    group, first = _group_rows(key)
    order = np.argsort(group, kind="stable")  # stable: within a flow, packets stay in the order of the capture
    bounds = np.searchsorted(group[order], np.arange(len(first) + 1))
    rows = (order[start:end] for start, end in pairwise(bounds.tolist()))
    flows = [_flow(packets, part, flipped) for members in rows for part in _connections(packets, members, flipped)]
    return sorted(flows, key=lambda flow: int(flow.index[0]))


def _connections(packets: Packets, rows: NDArray[np.int64], flipped: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Split the packets of one five-tuple where it was used anew.

    That is at a SYN with another sequence number than the one before it in its direction, if the connection goes on
    from there: the other end acknowledges it, or its sender continues behind it. A forged SYN has no such sequel.
    """
    opens = rows[(packets.flags[rows] & (SYN | ACK)) == SYN]
    if len(opens) <= 1:
        return [rows]
    numbers: dict[bool, int] = {}
    cuts = []
    for row in opens.tolist():
        side, number = bool(flipped[row]), int(packets.seq[row])
        # RFC 9293 §3.4.1: a new connection of the same ports has another initial number, lest old segments fit into
        # it
        is_new = side in numbers and numbers[side] != number
        if side not in numbers and numbers:  # the other end opens now: at the same time, or later
            is_new = bool((packets.payload[rows[rows < row]] > 0).any())
        if is_new and not _goes_on(packets, rows[rows > row], flipped, row):
            continue
        if is_new:
            cuts.append(row)
            numbers = {}
        numbers[side] = number
    return [part for part in np.split(rows, np.searchsorted(rows, cuts)) if len(part)]


def _goes_on(packets: Packets, later: NDArray[np.int64], flipped: NDArray[np.bool_], row: int) -> bool:
    """Return whether any later packet belongs behind the SYN at ``row``."""
    following = np.uint32((int(packets.seq[row]) + 1) % 2**32)
    mine = flipped[later] == flipped[row]
    acknowledged = ~mine & ((packets.flags[later] & ACK) != 0) & (packets.ack[later] == following)
    return bool((acknowledged | (mine & (packets.seq[later] == following))).any())


def _greater(left: tuple[NDArray[np.uint64], ...], right: tuple[NDArray[np.uint64], ...]) -> NDArray[np.bool_]:
    """Compare rows, column after column, as tuples are compared."""
    result = np.zeros(len(left[0]), np.bool_)
    undecided = np.ones(len(left[0]), np.bool_)
    for a, b in zip(left, right, strict=True):
        result |= undecided & (a > b)
        undecided &= a == b
    return result


def _group_rows(key: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number equal rows alike, in the order of first appearance; return the numbers and each group's first row."""
    _, first, group = np.unique(mix_columns(key.T), return_index=True, return_inverse=True)
    if not np.array_equal(key, key[first[group]]):  # two keys met in one hash: compare in full
        _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
        group = group.reshape(-1)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[group], np.sort(first)


def _flow(packets: Packets, rows: NDArray[np.int64], flipped: NDArray[np.bool_]) -> Flow:
    first = int(rows[0])
    from_a = flipped[rows] == flipped[first]
    flags = packets.flags[rows]
    seq, ack = _unwrap(packets.seq[rows], packets.ack[rows], flags, from_a)
    blocks = ragged_rows(packets.sack_count, rows)
    owner = np.repeat(np.arange(len(rows)), packets.sack_count[rows])
    raw_ack = packets.ack[rows]
    names = packets.server_names
    name = next((names[i] for i in packets.index[rows].tolist() if i in names), None) if names else None
    return Flow(
        a=(_address(packets.src_high[first], packets.src_low[first]), int(packets.src_port[first])),
        b=(_address(packets.dst_high[first], packets.dst_low[first]), int(packets.dst_port[first])),
        index=packets.index[rows],
        t_ns=packets.t_ns[rows],
        from_a=from_a,
        seq=seq,
        ack=ack,
        payload=packets.payload[rows].astype(np.int64),
        flags=flags,
        window=packets.window[rows],
        mss=packets.mss[rows],
        timestamps=packets.timestamps[rows],
        ip_id=packets.ip_id[rows],
        ttl=packets.ttl[rows],
        sack_count=packets.sack_count[rows],
        sack_start=ack[owner] + _signed(packets.sack_start[blocks] - raw_ack[owner]),
        sack_end=ack[owner] + _signed(packets.sack_end[blocks] - raw_ack[owner]),
        server_name=name,
    )


def _signed(difference: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Read differences modulo 2**32 as the nearest signed number, as RFC 9293 §3.4 compares them."""
    return difference.view(np.int32).astype(np.int64)


def _unwrap(
    seq: NDArray[np.uint32], ack: NDArray[np.uint32], flags: NDArray[np.uint16], from_a: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return seq and ack without wraparound, each ack on the scale of the direction that it acknowledges."""
    has_ack = (flags & ACK) != 0
    wide_seq = np.zeros(len(seq), np.int64)
    wide_ack = np.zeros(len(ack), np.int64)
    for sender in (True, False):
        sent = np.flatnonzero(from_a == sender)
        answered = np.flatnonzero((from_a != sender) & has_ack)
        # The numbers that one end sends and those that the other acknowledges are of one scale. Walking over both
        # in the order of the capture, each is at most 2**31 from the one before it, whatever was lost in between;
        # and where only one direction was captured, its acknowledgements still have a scale of their own.
        places = np.concatenate([sent, answered])
        order = np.argsort(places, kind="stable")
        raw = np.concatenate([seq[sent], ack[answered]])[order]
        if not len(raw):
            continue
        origin = int(seq[sent[0]]) if len(sent) else int(raw[0])
        steps = np.empty(len(raw), np.int64)
        steps[0] = origin + _signed(raw[:1] - np.uint32(origin))[0]
        steps[1:] = _signed(raw[1:] - raw[:-1])
        wide = np.empty(len(raw), np.int64)
        wide[order] = np.cumsum(steps)
        wide_seq[sent] = wide[: len(sent)]
        wide_ack[answered] = wide[len(sent) :]
    return wide_seq, wide_ack


def _address(high: np.uint64, low: np.uint64) -> str:
    if int(high) == 0 and int(low) >> 32 == _IPV4_PREFIX >> 32:
        return str(ipaddress.IPv4Address(int(low) & 0xFFFFFFFF))
    return str(ipaddress.IPv6Address((int(high) << 64) | int(low)))
