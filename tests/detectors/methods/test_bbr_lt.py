from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.capture import sent_by
from testbed.detectors.methods.bbr_lt import BW_UNIT, AckEvent, BbrLtDetector, _agree, ack_events, long_term_bandwidth
from testbed.detectors.verdict import Outcome
from tests.detectors.build import bottleneck_flow, observation, steady

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def intervals(*shares: tuple[int, int]) -> list[AckEvent]:
    """Return one acknowledgement a round; each pair (delivered, lost) makes an interval of five rounds."""
    events, delivered, lost, clock = [AckEvent(0.0, 0, 1, 1, round_start=True)], 0, 1, 0.0
    for gained, missed in shares:
        for turn in range(5):
            clock += 0.1
            delivered += gained // 5
            newly = missed if turn == 4 else 0
            lost += newly
            events.append(AckEvent(clock, delivered, lost, newly, round_start=True))
    return events


@pytest.mark.parametrize(
    ("shares", "found"),
    [
        ([(50, 20), (50, 20)], True),
        ([(50, 20), (55, 20)], True),  # within an eighth
        ([(50, 20), (80, 30)], False),
        ([(50, 20), (80, 30), (80, 30)], True),
        ([(50, 9), (50, 9), (50, 9)], False),  # 18 %: below 50/256
        ([(50, 10), (50, 10)], True),
    ],
)
def test_bbrs_rule_wants_two_alike_intervals_with_a_fifth_lost(shares: list[tuple[int, int]], *, found: bool) -> None:
    result = long_term_bandwidth(intervals(*shares), packet_bytes=1448)
    assert (result is not None) == found


def test_bbr_gives_up_an_interval_of_more_than_sixteen_rounds() -> None:
    quiet = [AckEvent(0.1 * i, 10 * i, 1, int(i == 0), round_start=True) for i in range(18)]
    assert long_term_bandwidth(quiet, packet_bytes=1448) is None


def test_bbrs_events_count_deliveries_losses_and_rounds() -> None:
    flow, dropped = bottleneck_flow(kind="police", packets=400)
    events = ack_events(flow, from_a=False)
    assert events[-1].delivered == int((~dropped).sum())
    assert events[-1].lost == int(dropped.sum())
    span_s = (flow.t_ns[-1] - flow.t_ns[0]) / 1e9
    assert sum(event.round_start for event in events) <= span_s / 0.05 + 1


def test_bbr_needs_the_senders_packets() -> None:
    assert BbrLtDetector().detect(observation(steady("t", rate_bps=1e6, duration_s=3))).outcome is OPEN


def rounds(intervals: list[tuple[float, int, int]], *, limited: frozenset[int] = frozenset()) -> list[AckEvent]:
    """Acknowledgements, one a round: seconds, packets delivered and lost since the one before."""
    events, t_s, delivered, lost = [], 0.0, 0, 0
    for place, (seconds, more, losses) in enumerate(intervals):
        t_s, delivered, lost = t_s + seconds, delivered + more, lost + losses
        events.append(AckEvent(t_s, delivered, lost, losses, round_start=True, app_limited=place in limited))
    return events


POLICED = [(0.1, 10, 4)] * 12


def test_two_intervals_that_agree_are_a_policer() -> None:
    found = long_term_bandwidth(rounds(POLICED), packet_bytes=1448)
    assert found is not None
    assert found.packets_per_s == pytest.approx(100, rel=1e-3)


def test_an_application_that_runs_dry_begins_anew() -> None:
    assert long_term_bandwidth(rounds(POLICED, limited=frozenset({6})), packet_bytes=1448) is None


def test_time_counts_in_whole_milliseconds() -> None:
    """Rounds of 0.2 ms: an interval that lasts less than a millisecond by the kernel's clock does not end."""
    found = long_term_bandwidth(rounds([(0.0002, 10, 4)] * 8), packet_bytes=1448)
    assert found is None


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_bandwidths_agree_within_an_eighth_or_four_kilobit(first: int, second: int) -> None:
    a, b = (BW_UNIT * packets_per_s // 10**6 for packets_per_s in (first, second))
    near = abs(first - second) / second
    apart_bps = abs(first - second) * 1000 * 8
    if near < 0.12 or apart_bps < 3900:
        assert _agree(a, b, 1000)
    if near > 0.13 and apart_bps > 4200 and min(first, second) > 50:
        assert not _agree(a, b, 1000)


def test_a_sender_that_pauses_between_chunks_is_application_limited() -> None:
    flow, _ = bottleneck_flow(kind="police", packets=300)
    assert not any(event.app_limited for event in ack_events(flow, from_a=False)[5:])
    sent = sent_by(flow, from_a=False)
    payload = flow.payload.copy()
    payload[sent.row[~sent.is_retransmission & ~sent.lost][100]] = 100  # the end of a chunk
    events = ack_events(replace(flow, payload=payload), from_a=False)
    assert any(event.app_limited for event in events[5:])


def test_a_sender_that_waits_for_acknowledgements_is_not() -> None:
    """With a window of one packet nothing is under way when the next is sent."""
    flow, _ = bottleneck_flow(kind="none", packets=60, rtt_s=0.001, rate_bps=1e6)
    gaps = np.where(flow.from_a, 20_000_000, 100_000)  # an acknowledgement after 20 ms, the next packet at once
    flow = replace(flow, t_ns=flow.t_ns[0] + np.cumsum(gaps))
    assert not any(event.app_limited for event in ack_events(flow, from_a=False)[5:])
