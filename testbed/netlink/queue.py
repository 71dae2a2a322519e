"""Queues of a link: by packets, by bytes, or managed (CoDel, RFC 8289; FQ-CoDel, RFC 8290; RED, `testbed.netlink.red`).

Sources: include/uapi/linux/pkt_sched.h, net/sched/sch_{fifo,codel,fq_codel}.c. Times are microseconds, as there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import get_args

from testbed.netlink.red import RedParameters, read_red, red_options, red_parameters
from testbed.netlink.socket import attribute, attributes
from testbed.records.link_plan import QueueKind

__all__ = ["QUEUE_KINDS", "Queue"]

QUEUE_KINDS: tuple[QueueKind, ...] = get_args(QueueKind)
_ROUNDED_US = 2
_TARGET, _LIMIT, _INTERVAL, _ECN = 1, 2, 3, 4  # TCA_CODEL_*, and TCA_FQ_CODEL_* alike


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue.

    Attributes:
        kind: The kernel's name of it.
        limit: What it holds: bytes for ``bfifo`` and ``red``, packets for the others.
        target_us: Delay that a managed queue aims at.
        interval_us: How long the delay may be above it, before a packet is dropped.
        red: What RED was given, where it was read back; None: what the limit asks for.
    """

    kind: QueueKind
    limit: int
    target_us: int = 5_000
    interval_us: int = 100_000
    red: RedParameters | None = None

    def options(self) -> bytes:
        """Return the options as the kernel takes them."""
        if self.kind in {"pfifo", "bfifo"}:
            return struct.pack("=I", self.limit)
        if self.kind == "red":
            return red_options(self.limit)
        # Without ECN: drops, not marks, are what the boxes of a path without ECN do.
        values = {_TARGET: self.target_us, _LIMIT: self.limit, _INTERVAL: self.interval_us, _ECN: 0}
        return b"".join(attribute(key, struct.pack("=I", value)) for key, value in values.items())

    def is_like(self, other: Queue) -> bool:
        """Return whether two queues are the same but for rounding: the kernel keeps times in units of 1024 ns."""
        if (self.kind, self.limit) != (other.kind, other.limit):
            return False
        if self.kind == "red":
            return (self.red or red_parameters(self.limit)) == (other.red or red_parameters(other.limit))
        pairs = ((self.target_us, other.target_us), (self.interval_us, other.interval_us))
        return all(abs(one - another) <= _ROUNDED_US for one, another in pairs)

    @classmethod
    def from_options(cls, kind: str, data: bytes) -> Queue | None:
        """Read what the kernel says of a discipline; None if it is no queue of these."""
        if kind not in QUEUE_KINDS:
            return None
        if kind in {"pfifo", "bfifo"}:
            return cls(kind, struct.unpack_from("=I", data)[0])
        if kind == "red":
            found = read_red(data)
            return cls(kind, found.limit, red=found)
        values = {key: struct.unpack_from("=I", value)[0] for key, value in attributes(data).items()}
        return cls(kind, values[_LIMIT], values[_TARGET], values[_INTERVAL])
