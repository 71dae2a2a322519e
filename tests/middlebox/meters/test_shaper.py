from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.meters.shaper import Shaper, ShaperSpec

NS_PER_S = 1_000_000_000

arrivals = st.lists(st.tuples(st.integers(0, 300_000_000), st.integers(40, 1514)), max_size=60)


class KernelTbf:
    """sch_tbf and bfifo of Linux 6.12, driven by events: enqueue at arrival, dequeue when the watchdog fires."""

    def __init__(self, shaper: Shaper, queue_bytes: int) -> None:
        self.shaper = shaper
        self.buffer = self.tokens = shaper._burst_ns
        self.t_c = 0
        self.limit = queue_bytes
        self.queue: list[tuple[int, int]] = []
        self.departures: dict[int, int] = {}

    def cost(self, length: int) -> int:
        return length * self.shaper._mult >> self.shaper._shift

    def dequeue(self, now: int) -> int | None:
        """Send what may be sent; when to come back for the rest."""
        while self.queue:
            number, length = self.queue[0]
            toks = min(min(now - self.t_c, self.buffer) + self.tokens, self.buffer) - self.cost(length)
            if toks < 0:
                return now - toks
            self.t_c, self.tokens = now, toks
            self.departures[number] = now
            self.queue.pop(0)
        return None

    def run_until(self, now: int) -> None:
        """Fire every watchdog up to ``now``."""
        at = self.dequeue(self.t_c) if self.queue else None
        while at is not None and at <= now:
            at = self.dequeue(at)

    def arrive(self, number: int, length: int, now: int) -> None:
        self.run_until(now)
        if sum(each for _, each in self.queue) + length <= self.limit and self.cost(length) <= self.buffer:
            self.queue.append((number, length))
            self.dequeue(now)


@given(arrivals, st.integers(1000, 10**6), st.integers(1514, 10_000), st.integers(1514, 30_000))
def test_every_packet_leaves_when_the_kernel_would_send_it(
    packets: list[tuple[int, int]], rate: int, burst: int, queue: int
) -> None:
    shaper = Shaper(rate_bps=rate * 8, burst_bytes=burst, queue_bytes=queue)
    kernel = KernelTbf(shaper, queue)
    ours = {}
    for number, (now, length) in enumerate(
        zip(accumulate(gap for gap, _ in packets), (length for _, length in packets), strict=True)
    ):
        departure = shaper.departure_ns(length, now)
        if departure is not None:
            ours[number] = departure
        kernel.arrive(number, length, now)
    kernel.run_until(10**15)
    assert ours == kernel.departures


def departures(spec: ShaperSpec, packets: int, gap_ns: int, length: int = 1500) -> list[int | None]:
    shaper = spec.start()
    return [shaper.departure_ns(length, index * gap_ns) for index in range(packets)]


TELE2 = ShaperSpec(rate_bps=128_000, burst_bytes=3000, queue_bytes=60_000)


def test_shaped_packets_leave_smoothly_at_the_rate() -> None:
    times = [each for each in departures(TELE2, 300, 50_000_000) if each is not None]
    gaps = {later - earlier for earlier, later in pairwise(times[3:])}
    assert max(gaps) - min(gaps) <= 1
    assert 1500 * 8 / (min(gaps) / NS_PER_S) == pytest.approx(128_000, rel=0.001)


def test_the_queue_delays_first_and_drops_only_when_it_is_full() -> None:
    times = departures(TELE2, 200, 10_000_000)
    first_drop = times.index(None)
    assert first_drop > 60_000 // 1500
    delays = [at - index * 10_000_000 for index, at in enumerate(times) if at is not None]
    assert max(delays) <= 60_000 * 8 * NS_PER_S / 128_000


def test_below_the_rate_nothing_waits() -> None:
    assert departures(TELE2, 50, NS_PER_S) == [index * NS_PER_S for index in range(50)]


def test_a_packet_larger_than_the_bucket_never_leaves() -> None:
    assert Shaper(rate_bps=8000, burst_bytes=100, queue_bytes=10_000).departure_ns(200, 0) is None


def test_a_rate_that_tc_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        Shaper(rate_bps=3, burst_bytes=1, queue_bytes=1)
