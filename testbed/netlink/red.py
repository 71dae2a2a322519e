"""RED as the kernel takes it (net/sched/sch_red.c, include/net/red.h), with the parameters that its authors advise.

Floyd and Jacobson, "Random Early Detection Gateways for Congestion Avoidance", IEEE/ACM Transactions on Networking
1(4), 1993: the mean length at which packets begin to be dropped is a third of that at which one in ten is. The mean
follows the length so fast that a burst which fills the queue to the least length passes. While the link is idle it
decays as by packets of 1000 bytes at 10 Mbit/s; so tc has it, where nothing else is said.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

from testbed.netlink.socket import attribute, attributes

__all__ = ["LEAST_RED_BYTES", "MOST_RED_BYTES", "RedParameters", "read_red", "red_options", "red_parameters"]

LEAST_RED_BYTES = 12_000
"""Below this, the length at which RED begins to drop is less than two packets."""
MOST_RED_BYTES = 4_000_000
"""Above this, lengths times the weight of the mean do not fit the kernel's 32 bits."""

_PARAMETERS, _DECAY, _SHARE = 1, 2, 3  # TCA_RED_PARMS, _STAB, _MAX_P
_WORDS = struct.Struct("=IIIBBBB")  # struct tc_red_qopt
_SHARE_AT_MOST = 0.1
_PACKET_BYTES = 1000
_IDLE_US_A_PACKET = _PACKET_BYTES * 8 / 10  # at 10 Mbit/s
_CELLS, _MOST_SHIFT = 256, 31
_MOST_LOG = 31


class RedParameters(NamedTuple):
    """What can be read back: lengths in bytes, the weight as a power of two, the share of 2**32."""

    limit: int
    least: int
    most: int
    weight_log: int
    share: int


def red_parameters(limit: int) -> RedParameters:
    """Return what RED is given for a queue of so many bytes."""
    most = limit // 2
    least = most // 3
    burst = (2 * least + most) / (3 * _PACKET_BYTES)
    return RedParameters(limit, least, most, _weight_log(least, burst), round(_SHARE_AT_MOST * (1 << 32)))


def _weight_log(least: int, burst: float) -> int:
    """Return the greatest weight by which a burst from an empty queue does not lift the mean above the least length.

    Section VI of the paper: L + 1 + ((1 - w)^(L+1) - 1)/w is the mean after L packets. tc solves it likewise.
    """
    wanted = burst + 1 - least / _PACKET_BYTES
    for log in range(1, _MOST_LOG + 1):
        weight = 2.0**-log
        if wanted <= (1 - (1 - weight) ** burst) / weight:
            return log
    return _MOST_LOG


def red_options(limit: int) -> bytes:
    """Return the options as the kernel takes them; without ECN: packets are dropped."""
    parameters = red_parameters(limit)
    cell_log, decay = _decay(parameters.weight_log)
    words = _WORDS.pack(parameters.limit, parameters.least, parameters.most, parameters.weight_log, 0, cell_log, 0)
    return (
        attribute(_PARAMETERS, words)
        + attribute(_DECAY, decay)
        + attribute(_SHARE, struct.pack("=I", parameters.share))
    )


def _decay(weight_log: int) -> tuple[int, bytes]:
    """Return the time of a cell as a power of two of microseconds, and by how many bits the mean is shifted in each."""
    per_us = -math.log(1 - 2.0**-weight_log) / math.log(2) / _IDLE_US_A_PACKET
    cell_log = next(log for log in range(_MOST_LOG + 1) if _MOST_SHIFT / per_us < 512 << log)
    return cell_log, bytes(min(_MOST_SHIFT, int((cell << cell_log) * per_us)) for cell in range(_CELLS - 1)) + bytes(
        [_MOST_SHIFT]
    )


def read_red(data: bytes) -> RedParameters:
    """Read what the kernel says of a discipline."""
    values = attributes(data)
    limit, least, most, weight_log, _, _, _ = _WORDS.unpack_from(values[_PARAMETERS])
    return RedParameters(limit, least, most, weight_log, struct.unpack_from("=I", values[_SHARE])[0])
