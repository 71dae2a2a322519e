"""TCP packets of a capture as one array a header field."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["ACK", "FIN", "PSH", "RST", "SYN", "Packets", "concatenate", "mix_columns", "ragged_rows"]

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_RAGGED = ("sack_start", "sack_end")
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: Knuth's multiplicative hash, wraps by design
_SHIFT = np.uint64(29)


@dataclass(frozen=True, slots=True)
class Packets:
    """n TCP packets in the order of the capture; every array has shape (n,) unless said otherwise.

    Attributes:
        index: Number of the record in its file, from 0, int64.
        t_ns: Time stamp, nanoseconds since 1970, int64.
        src_high, src_low: Source address as two halves, uint64; IPv4 as ::ffff:a.b.c.d.
        dst_high, dst_low: Destination address, likewise.
        src_port, dst_port: Ports, uint16.
        seq, ack: As on the wire, uint32.
        flags: The twelve bits after the data offset, uint16.
        window: As on the wire, unscaled, uint16.
        payload: TCP payload bytes on the wire, whatever was captured of them, int32.
        ip_id: IPv4 identification, -1 for IPv6, int32.
        ttl: TTL or hop limit, uint8.
        mss: Announced maximum segment size, 0 where absent, uint16.
        timestamps: Whether the timestamps option is there, bool.
        sack_count: SACK blocks, uint8.
        sack_start, sack_end: Edges of the blocks, packet after packet, uint32, shape (sum of sack_count,).
        server_names: Record index to the server name of the ClientHello that was complete with it.
    """

    index: NDArray[np.int64]
    t_ns: NDArray[np.int64]
    src_high: NDArray[np.uint64]
    src_low: NDArray[np.uint64]
    dst_high: NDArray[np.uint64]
    dst_low: NDArray[np.uint64]
    src_port: NDArray[np.uint16]
    dst_port: NDArray[np.uint16]
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    flags: NDArray[np.uint16]
    window: NDArray[np.uint16]
    payload: NDArray[np.int32]
    ip_id: NDArray[np.int32]
    ttl: NDArray[np.uint8]
    mss: NDArray[np.uint16]
    timestamps: NDArray[np.bool_]
    sack_count: NDArray[np.uint8]
    sack_start: NDArray[np.uint32]
    sack_end: NDArray[np.uint32]
    server_names: dict[int, str]

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: NDArray[np.int64]) -> Packets:
        """Return the packets at ``rows``, in that order."""
        blocks = ragged_rows(self.sack_count, rows)
        columns = {
            name: getattr(self, name)[blocks if name in _RAGGED else rows]
            for name in _COLUMNS
            if name != "server_names"
        }
        kept = set(columns["index"].tolist()) if self.server_names else set()  # few captures are full of hellos
        return Packets(**columns, server_names={i: n for i, n in self.server_names.items() if i in kept})


_COLUMNS = tuple(column.name for column in fields(Packets))


def mix_columns(columns: Iterable[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Return a number for each row: equal rows have equal numbers, others differ but for one chance in 2**64.

    Sorting one column of numbers is much quicker than sorting rows of six.
    """
    mixed: NDArray[np.uint64] = np.zeros(1, np.uint64)
    for column in columns:
        mixed = mixed ^ column
        mixed *= _GOLDEN
        mixed ^= mixed >> _SHIFT  # multiplying moves differences up only; this brings them down again
    return mixed


def ragged_rows(count: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places, in an array holding ``count[i]`` items for each i, of the items of ``rows``."""
    chosen = count[rows].astype(np.int64)
    # Packets have none to four blocks: one array of all blocks takes a quarter of a rectangle's memory, and less.
    first = (np.cumsum(count, dtype=np.int64) - count)[rows]
    within = np.arange(chosen.sum()) - np.repeat(np.cumsum(chosen) - chosen, chosen)
    places: NDArray[np.int64] = np.repeat(first, chosen) + within
    return places


def concatenate(parts: Sequence[Packets]) -> Packets:
    """Join packets of one capture; ``parts`` must not be empty."""
    names: dict[int, str] = {}
    for part in parts:
        names |= part.server_names
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS if name != "server_names"
    }
    return Packets(**columns, server_names=names)
