"""The methods that judge one trace: PD's codes, BBR's rule, ShaperProbe, congestion signatures, tcp_info."""

from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.methods.bbr_lt import AckEvent, BbrDetector, ack_events, long_term_bandwidth
from testbed.detectors.methods.pd import Code, PolicingDetector, PolicingResult, judge, segment_rows, segments
from testbed.detectors.methods.shaperprobe import ShaperProbeDetector, find_level_shift
from testbed.detectors.methods.signatures import Leaf, Node, SignatureDetector, features, train, walk
from testbed.detectors.methods.tcp_info import TcpInfoDetector, limits
from testbed.detectors.observation import Role, TcpInfo, Transfer
from testbed.detectors.verdict import Mechanism, Outcome
from tests.detectors.build import bottleneck_flow, flow_transfer, observation, steady

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def test_pd_finds_a_policer_and_its_rate() -> None:
    flow, dropped = bottleneck_flow(kind="police", rate_bps=500e3, depth_bytes=30_000, packets=800)
    verdict = PolicingDetector().detect(observation(flow_transfer("t", flow)))
    assert (verdict.outcome, verdict.mechanism) == (YES, Mechanism.POLICING)
    assert verdict.rate_bps == pytest.approx(500e3, rel=0.1)
    first = int(np.flatnonzero(dropped)[0])
    assert verdict.burst_bytes == first * 1448


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ({"kind": "none"}, {Code.TOO_FEW_LOSSES}),
        ({"kind": "none", "loss": 0.05, "packets": 800}, {Code.FULLER_ON_LOSS, Code.LOSS_FILL_OUT_OF_RANGE}),
        (
            {"kind": "none", "loss": 0.01, "packets": 3000, "seed": 5},
            {Code.FULLER_ON_LOSS, Code.LOSS_FILL_OUT_OF_RANGE},
        ),
        ({"kind": "none", "loss": 0.002, "packets": 3000, "seed": 6}, {Code.LATE_LOSS}),
    ],
)
def test_pd_gives_the_reason_why_not(arguments: dict[str, float | str], codes: set[Code]) -> None:
    flow, _ = bottleneck_flow(**arguments)  # type: ignore[arg-type]
    (segment,) = segments(flow)
    assert judge(segment, cutoff=0).code in codes


def test_pd_prints_results_as_published() -> None:
    assert str(PolicingResult(Code.POLICED, 477191.9, 37648)) == "[code 0, 477191 bps, 37648 bytes burst]"
    assert str(PolicingResult(Code.INFLATED_RTT)) == "[code 7, null, null]"


def test_pd_needs_the_senders_packets() -> None:
    assert PolicingDetector().detect(observation(steady("t", rate_bps=1e6, duration_s=3))).outcome is OPEN


def test_pd_tells_content_from_line_by_the_controls() -> None:
    policed, _ = bottleneck_flow(kind="police", packets=800)
    clean, _ = bottleneck_flow(kind="none", packets=800)

    def specific(control: Transfer) -> bool | None:
        return PolicingDetector().detect(observation(flow_transfer("t", policed), control)).content_specific

    assert specific(flow_transfer("c", clean, role=Role.CONTROL)) is True
    assert specific(flow_transfer("c", policed, role=Role.CONTROL)) is False


def test_pd_numbers_segments_of_a_flow_without_data_not_at_all() -> None:
    flow, _ = bottleneck_flow(kind="none", packets=1)
    assert [row.segment for row in segment_rows((flow,))] == [0]


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
def test_bbrs_rule_wants_two_alike_intervals_with_a_fifth_lost(shares: list[tuple[int, int]], found: bool) -> None:  # noqa: FBT001
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
    assert BbrDetector().detect(observation(steady("t", rate_bps=1e6, duration_s=3))).outcome is OPEN


def test_shaperprobe_finds_a_clean_step_eight_values_after_it() -> None:
    rates = [8200.0 + i for i in range(12)] + [1045.0 + i for i in range(12)]
    times = [0.5 * i for i in range(24)]
    shift = find_level_shift(times, rates, slice_s=0.5)
    assert shift is not None
    assert (shift.found_at, shift.start) == (19, 12)
    passed_kb = sum(rates[:12]) * 0.5 / 8
    middle = passed_kb - 12 * shift.rate_kbps * 0.5 / 8
    half = (8 * passed_kb / 6.0 - shift.rate_kbps) * 0.5 / 16
    assert shift.bucket_min_kb == int(int(middle - half) * 1.024)
    assert shift.bucket_max_kb == int(int(middle + half) * 1.024)


@pytest.mark.parametrize(
    "rates",
    [[1000.0] * 40, [1000.0 - i % 2 for i in range(40)], [500.0] * 20 + [1000.0] * 20, [1000.0] * 20 + [950.0] * 20],
)
def test_shaperprobe_finds_nothing_where_no_level_falls_by_a_tenth(rates: list[float]) -> None:
    assert find_level_shift([0.3 * i for i in range(40)], rates) is None


def test_shaperprobe_smooths_a_single_outlier() -> None:
    rates = [1000.0 + i % 3 for i in range(30)]
    rates[9] = 100.0
    assert find_level_shift([0.3 * i for i in range(30)], rates) is None


def test_shaperprobe_is_blind_to_a_limit_from_the_first_byte() -> None:
    verdict = ShaperProbeDetector().detect(observation(steady("t", rate_bps=140e3, duration_s=25)))
    assert verdict.outcome is NO


def test_a_queue_leaves_its_signature_and_a_policer_does_not() -> None:
    queued, _ = bottleneck_flow(kind="queue", depth_bytes=100_000)
    policed, _ = bottleneck_flow(kind="police", depth_bytes=100_000)
    filled, flat = features(queued), features(policed)
    assert filled is not None
    assert flat is not None
    assert filled[0] > 0.5 > flat[0]
    assert SignatureDetector().detect(observation(flow_transfer("t", queued))).mechanism is Mechanism.CONGESTION
    assert SignatureDetector().detect(observation(flow_transfer("t", policed))).outcome is OPEN


def test_a_tree_splits_where_classes_part() -> None:
    values = np.array([[x, 0.5] for x in (0.1, 0.2, 0.3, 0.7, 0.8, 0.9)])
    tree = train(values, np.array([False] * 3 + [True] * 3), least=1)
    assert tree == Node(0, 0.5, Leaf(0.0), Leaf(1.0))
    assert [walk(tree, (x, 0.5)) for x in (0.4, 0.6)] == [0.0, 1.0]


def test_a_tree_of_one_class_asks_nothing() -> None:
    assert train(np.zeros((6, 2)), np.ones(6, np.bool_)) == Leaf(1.0)


def info(*, busy: float = 9.9, limited: float = 0.0, retrans: float = 0.0, rtt: float = 0.05) -> TcpInfo:
    def column(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([value / 2, value])

    return TcpInfo(
        times_s=np.array([5.0, 10.0]),
        busy_s=column(busy),
        rwnd_limited_s=column(limited),
        sndbuf_limited_s=column(0.0),
        bytes_sent=column(1e6),
        bytes_retrans=column(retrans * 1e6),
        rtt_s=np.array([rtt, rtt]),
        min_rtt_s=np.array([0.05, 0.05]),
        delivery_rate_bps=np.array([1e6, 1e6]),
    )


@pytest.mark.parametrize(
    ("sample", "outcome", "mechanism"),
    [
        (info(retrans=0.2), YES, Mechanism.POLICING),
        (info(retrans=0.2, rtt=0.2), NO, None),
        (info(retrans=0.02), NO, None),
        (info(rtt=0.3), OPEN, None),
        (info(busy=5.0, retrans=0.2), NO, Mechanism.APP_LIMITED),
        (info(limited=5.0, retrans=0.2), NO, Mechanism.APP_LIMITED),
    ],
)
def test_tcp_info_gates(sample: TcpInfo, outcome: Outcome, mechanism: Mechanism | None) -> None:
    base = steady("t", rate_bps=1e6, duration_s=10)
    judged = Transfer(id="t", times_s=base.times_s, bytes=base.bytes, tcp_info=sample)
    verdict = TcpInfoDetector().detect(observation(judged))
    assert (verdict.outcome, verdict.mechanism) == (outcome, mechanism)


def test_tcp_info_without_a_byte_sent_has_no_limits() -> None:
    empty = TcpInfo(**{name: np.zeros(1) for name in TcpInfo.__slots__})
    assert limits(empty) is None
