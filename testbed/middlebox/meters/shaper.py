"""A shaper: what does not conform waits in a queue, and is dropped only when the queue is full.

The arithmetic of Linux `tbf` over `bfifo` (net/sched/sch_tbf.c and sch_fifo.c of 6.12), to the nanosecond. A qdisc
stands at egress, where the kernel counts the link-layer header too: profiles say which length counts.

Measured in virtual time, 1500 packets of tele2-3g-up in bursts and gaps (tests/engine/test_kernel_shaper.py):

    tbf over bfifo     drops the same 283 packets as this model; departures at most 504 ns later: its timer counts in
                       steps of 256 ns
    HTB over bfifo     decides 21 packets otherwise, departures up to 95 ms earlier and 139 ms later: HTB sends while
                       its tokens are not negative and charges afterwards (sch_htb.c), so each burst is longer by a
                       packet, and what follows waits for it
    the live box       drops the same packets; departures from 1 µs earlier, since its arrivals are stamped in whole µs,
                       to 13 µs later, where many packets come at once

The live box is none of the kernel's two: they drop in silence and tell no packet's delay, and the log has to name both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.meters.kernel_rate import burst_problem, kernel_rate
from testbed.middlebox.meters.meter import MeterSpec
from testbed.middlebox.written import Bytes, TcRate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.middlebox.described import Problem
    from testbed.middlebox.meters.meter import Beginning
    from testbed.middlebox.profile.metering import MeterChoice

__all__ = ["Shaper", "ShaperSpec"]


class Shaper:
    """One direction of one line, flow or subscriber. Packets leave in the order in which they came."""

    __slots__ = (
        "_backlog", "_burst_ns", "_last_departure_ns", "_limit", "_mult", "_queue", "_shift", "_tokens_at_ns",
        "_tokens_ns", "burst_ticks",
    )  # fmt: skip

    def __init__(self, *, rate_bps: int, burst_bytes: int, queue_bytes: int) -> None:
        """An empty queue and a full bucket.

        Raises:
            ValueError: A rate that tc cannot hold.
        """
        rate = kernel_rate(rate_bps, burst_bytes)
        self._mult, self._shift, self.burst_ticks = rate
        self._burst_ns = self._tokens_ns = rate.burst_ns
        self._tokens_at_ns = 0
        self._last_departure_ns = 0
        self._limit = queue_bytes
        self._queue: deque[tuple[int, int]] = deque()  # (departure, length) of the packets that wait
        self._backlog = 0

    def departure_ns(self, length: int, now_ns: int) -> int | None:
        """Return when a packet that arrives now leaves: now, later, or never (None: dropped, the queue is full)."""
        # What has left by now makes room before this packet is measured against the limit, as the watchdog would have.
        while self._queue and self._queue[0][0] <= now_ns:
            self._backlog -= self._queue.popleft()[1]
        cost = length * self._mult >> self._shift
        if self._backlog + length > self._limit or cost > self._burst_ns:
            return None  # tbf refuses a packet larger than its bucket: it could never leave
        # At the head of the queue no earlier than the one before it left.
        head_ns = max(now_ns, self._last_departure_ns)
        tokens = min(self._tokens_ns + min(head_ns - self._tokens_at_ns, self._burst_ns), self._burst_ns) - cost
        departure = head_ns + max(0, -tokens)
        self._tokens_ns = max(0, tokens)
        self._tokens_at_ns = self._last_departure_ns = departure
        # A packet that leaves at once was never in the queue.
        if departure > now_ns:
            self._queue.append((departure, length))
            self._backlog += length
        return departure


@dataclass(frozen=True, slots=True, kw_only=True)
class ShaperSpec(MeterSpec):
    """A shaper as a profile describes it."""

    kind = "shaper"
    limits = "rate"
    delays = True

    rate_bps: TcRate
    burst_bytes: Bytes
    queue_bytes: Bytes

    @property
    def long_run_bps(self) -> float:
        """Its rate."""
        return float(self.rate_bps)

    def start(self, beginning: Beginning | None = None) -> Shaper:
        """Return an empty shaper, whenever it begins."""
        del beginning
        return Shaper(rate_bps=self.rate_bps, burst_bytes=self.burst_bytes, queue_bytes=self.queue_bytes)

    def problems(self, choice: MeterChoice) -> Iterator[Problem]:
        """Refuse a burst that the kernel cannot hold."""
        del choice
        problem = burst_problem(self.rate_bps, self.burst_bytes)
        if problem is not None:
            yield f"{self.kind}.burst", problem
