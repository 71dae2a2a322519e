"""TCP options of many packets at once: MSS, timestamps, SACK blocks."""

# ruff: noqa: PLR2004  option kinds and lengths are those of the RFCs

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["TcpOptions", "parse_options"]

# RFC 9293 §3.1, RFC 2018, RFC 7323
_END: Final = 0
_NOP: Final = 1
_MSS: Final = 2
_SACK: Final = 5
_TIMESTAMPS: Final = 8
_MAX_OPTION_BYTES: Final = 40
_TIMESTAMPS_ONLY: Final = b"\x01\x01\x08\x0a"  # what nearly every packet carries: NOP NOP timestamps


@dataclass(frozen=True, slots=True)
class TcpOptions:
    """Options of n packets.

    Attributes:
        mss: Announced maximum segment size, 0 where absent, uint16, shape (n,).
        timestamps: Whether the timestamps option is there, bool, shape (n,).
        sack_count: SACK blocks of each packet, uint8, shape (n,).
        sack_start: First sequence number of each block, packet after packet, uint32, shape (sum of sack_count,).
        sack_end: Sequence number after each block, same shape.
    """

    mss: NDArray[np.uint16]
    timestamps: NDArray[np.bool_]
    sack_count: NDArray[np.uint8]
    sack_start: NDArray[np.uint32]
    sack_end: NDArray[np.uint32]


def parse_options(
    block: Callable[[NDArray[np.int64], int], NDArray[np.uint8]], at: NDArray[np.int64], size: NDArray[np.int64]
) -> TcpOptions:
    """Walk the options of all packets in step.

    Args:
        block: Reads a rectangle of bytes: ``block(offsets, width)``, uint8, shape (n, width).
        at: Where each packet's options begin, shape (n,).
        size: Bytes of options there are, 0 to 40, shape (n,). A malformed option ends its packet's walk.
    """
    count = len(at)
    at = at.copy()
    size = np.clip(size, 0, _MAX_OPTION_BYTES)
    mss = np.zeros(count, np.uint16)
    timestamps = np.zeros(count, np.bool_)
    sack_count = np.zeros(count, np.uint8)
    sack_at = np.zeros(count, np.int64)
    # In an ordinary connection nearly every packet carries timestamps and nothing else. Those are read in one
    # comparison, and the walk below is left with handshakes and acknowledgements with SACK.
    usual = np.flatnonzero(size == 12)
    if len(usual):
        plain = (block(at[usual], 4) == np.frombuffer(_TIMESTAMPS_ONLY, np.uint8)).all(axis=1)
        timestamps[usual[plain]] = True
        size[usual[plain]] = 0
    left = np.flatnonzero(size > 0)
    while len(left):
        lead = block(at[left], 4)
        kind = lead[:, 0]
        length = lead[:, 1].astype(np.int64)
        single = kind <= _NOP
        length[single] = 1
        # a length below 2 would not get on, and one beyond the end is a lie: both end the packet's walk
        whole = (kind != _END) & (single | (length >= 2)) & (length <= size[left])
        rows = left[whole]
        kind, length, lead = kind[whole], length[whole], lead[whole]
        is_mss = (kind == _MSS) & (length == 4)
        mss[rows[is_mss]] = (lead[is_mss, 2].astype(np.uint16) << 8) | lead[is_mss, 3]
        timestamps[rows[kind == _TIMESTAMPS]] = True
        is_sack = (kind == _SACK) & (length > 2) & ((length - 2) % 8 == 0) & (sack_count[rows] == 0)
        sack_count[rows[is_sack]] = (length[is_sack] - 2) // 8
        sack_at[rows[is_sack]] = at[rows[is_sack]] + 2
        size[rows] -= length
        at[rows] += length
        left = rows[size[rows] > 0]
    start, end = _sack_blocks(block, sack_at, sack_count)
    return TcpOptions(mss, timestamps, sack_count, start, end)


def _sack_blocks(
    block: Callable[[NDArray[np.int64], int], NDArray[np.uint8]], at: NDArray[np.int64], count: NDArray[np.uint8]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    rows = np.flatnonzero(count)
    # 32 bytes of each, though fewer may be its own: 40 bytes of options have room for 4 blocks of 8 at most (RFC
    # 2018 §3)
    edges = block(at[rows], 32).view(">u4").astype(np.uint32).reshape(-1, 4, 2)
    present = np.arange(4) < count[rows][:, None]
    blocks = edges[present]
    return np.ascontiguousarray(blocks[:, 0]), np.ascontiguousarray(blocks[:, 1])
