from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.meters.sliding_window import SlidingWindow, SlidingWindowSpec
from tests.middlebox.meters.build import NS_PER_S, arrivals, at_times, beginning


@given(arrivals, st.integers(1, 10**9), st.integers(1, 6000))
def test_it_agrees_with_adding_up_what_passed_in_the_window(
    packets: list[tuple[int, int]], window_ns: int, limit: int
) -> None:
    meter = SlidingWindow(limit_bytes=limit, window_s=window_ns / NS_PER_S)
    passed: list[tuple[int, int]] = []
    for now, length in at_times(packets):
        within = sum(size for at, size in passed if at + window_ns > now)
        fits = within + length <= limit
        assert meter.conforms(length, now) == fits
        if fits:
            passed.append((now, length))


def test_a_sender_that_never_stops_gets_its_packets_back_as_it_sent_them() -> None:
    meter = SlidingWindow(limit_bytes=3000, window_s=1.0)
    passing = [now for now in range(0, 3 * NS_PER_S, NS_PER_S // 100) if meter.conforms(1500, now)]
    assert passing == [
        0,
        NS_PER_S // 100,
        NS_PER_S,
        NS_PER_S + NS_PER_S // 100,
        2 * NS_PER_S,
        2 * NS_PER_S + NS_PER_S // 100,
    ]


def test_a_flow_begins_with_an_empty_window() -> None:
    spec = SlidingWindowSpec(limit_bytes=1500, window_s=0.95)
    assert spec.start(beginning(NS_PER_S)).conforms(1500, NS_PER_S)
    assert spec.parameters() == {"limit_bytes": 1500, "window_s": 0.95}
