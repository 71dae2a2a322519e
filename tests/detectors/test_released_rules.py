"""Where the released code of a method has a way of its own: inputs made here, with what that code says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.capture import sent_by
from testbed.detectors.methods.bbr_lt import AckEvent, ack_events, long_term_bandwidth
from testbed.detectors.methods.cusum import State, state_changes
from testbed.detectors.methods.glasnost import GlasnostDetector
from testbed.detectors.methods.shaperprobe import ShaperProbeDetector, _Series, find_level_shift
from testbed.detectors.methods.wehe import Statistics, client_rule
from testbed.detectors.methods.wehe_2015 import AreaDetector
from testbed.detectors.methods.wehe_population import PopulationDetector, fixed_rates
from testbed.detectors.methods.wehey import WeheyDetector
from testbed.detectors.observation import Observation, Role, Transfer
from testbed.detectors.tools.subjects import pairs
from testbed.detectors.verdict import Outcome
from tests.detectors.build import bottleneck_flow, flow_transfer, observation, steady, transfer

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def test_a_smoothed_value_takes_the_rank_of_what_it_passes() -> None:
    """Equal rates are the rule where packets have one size: a rank moved step by step counts each of them."""
    per_packet = 1400 * 8 / 0.3 / 1e3
    packets = [7, 8, 5, 6, 8, 1, 3, 4, 4, 4, 1, 3, 4]
    assert find_level_shift([0.3 * place for place in range(13)], [per_packet * each for each in packets]) is None


def test_a_smoothed_value_that_falls_takes_the_least_rank_and_one_that_rises_the_greatest() -> None:
    falling = _Series()
    falling.rates, falling.ranks = (
        [2.0, 2.0, 3.0, 2.0, 2.0, 9.0, 2.0, 2.0, 3.0, 2.0, 2.0],
        [1, 1, 9, 1, 1, 11, 1, 1, 9, 1, 1],
    )
    falling._smooth(5)
    assert (falling.rates[5], falling.ranks[5], falling.ranks[2], falling.ranks[0]) == (2.0, 9, 10, 1)
    rising = _Series()
    rising.rates, rising.ranks = (
        [5.0, 5.0, 3.0, 5.0, 5.0, 1.0, 5.0, 5.0, 3.0, 5.0, 5.0],
        [5, 5, 2, 5, 5, 1, 5, 5, 3, 5, 5],
    )
    rising._smooth(5)
    assert (rising.rates[5], rising.ranks[5], rising.ranks[2], rising.ranks[8]) == (5.0, 3, 1, 2)


def test_a_bucket_of_shaperprobes_kb_is_told_in_bytes() -> None:
    rates = np.concatenate([np.full(10, 8000.0), np.full(12, 1000.0)])
    shift = find_level_shift((np.arange(22) * 0.3).tolist(), rates.tolist())
    assert shift is not None
    sizes = np.round(rates * 1e3 * 0.3 / 8).astype(int)
    verdict = ShaperProbeDetector().detect(
        observation(transfer("t", [0.3 * (place + 1) - 0.01 for place in range(22)] + [6.7], [*sizes.tolist(), 1]))
    )
    middle_kb = (shift.bucket_min_kb + shift.bucket_max_kb) / 2
    assert verdict.burst_bytes == pytest.approx(middle_kb * 1000 / 1.024, rel=1e-6)


def repeats(speeds: dict[tuple[str, Role], list[float]]) -> Observation:
    """Transfers of 20 s by port and role; a speed of 0 moved nothing."""
    transfers: list[Transfer] = []
    for (port, role), each in speeds.items():
        for place, kbps in enumerate(each):
            moved = [(20.0, int(kbps * 1000 * 20 / 8))] if kbps else []
            made = transfer(f"{port}-{role}-{place}", [t for t, _ in moved], [size for _, size in moved], role=role)
            transfers.append(replace(made, started_s=20.0 * len(transfers), labels={"port": port}))
    return observation(*transfers)


APP, CONTROL = ("app", Role.TARGET), ("app", Role.CONTROL)
NEUTRAL, NEUTRAL_CONTROL = ("neutral", Role.TARGET), ("neutral", Role.CONTROL)


@pytest.mark.parametrize(
    ("speeds", "outcome"),
    [
        ({APP: [500, 390, 0], CONTROL: [1000, 1000, 1000]}, YES),  # a dead repeat is left out, and is no noise
        ({APP: [100, 0], CONTROL: [1000, 0]}, OPEN),  # fewer than two live repeats
        ({APP: [0, 0, 0], CONTROL: [1000, 1000, 1000]}, OPEN),
        ({APP: [700, 700], CONTROL: [1000, 1000]}, NO),  # two repeats: threshold 0.5
        ({APP: [700, 700, 700], CONTROL: [1000, 1000, 1000]}, YES),  # three: 0.2
        ({APP: [1000] * 3, CONTROL: [1000] * 3, NEUTRAL: [500] * 3, NEUTRAL_CONTROL: [500] * 3}, YES),  # one port
        ({APP: [500] * 3, CONTROL: [500] * 3, NEUTRAL: [1000] * 3, NEUTRAL_CONTROL: [1000] * 3}, YES),  # the other
        ({APP: [1000] * 3, CONTROL: [1000] * 3, NEUTRAL: [600] * 2, NEUTRAL_CONTROL: [900] * 2}, NO),  # 2 at a port
        ({APP: [1000] * 3, CONTROL: [500] * 3}, NO),  # prioritised
    ],
)
def test_glasnost(speeds: dict[tuple[str, Role], list[float]], outcome: Outcome) -> None:
    assert GlasnostDetector().detect(repeats(speeds)).outcome is outcome


def test_pairs_are_made_within_a_port() -> None:
    given_ = repeats({APP: [500], ("neutral", Role.CONTROL): [900], CONTROL: [800]})
    ((target, control),) = pairs(given_)
    assert (target.id, control.id) == ("app-target-0", "app-control-0")


@pytest.mark.parametrize(("value", "state"), [(0.1, State.OK), (0.6, State.BLOCKED)])
def test_oonis_sum_must_exceed_the_threshold(value: float, state: State) -> None:
    """Each hour adds 0.25: 7.0 is reached, and not exceeded, at the 28th."""
    (change,) = state_changes([3600.0 * hour for hour in range(30)], [value] * 30)
    assert (change.index, change.state) == (28, state)


def test_the_threshold_of_a_fast_first_run_stays() -> None:
    slow = Statistics(mean_o=5e6, mean_c=8e6, area=0.375, p=1e-9, distance=1.0)
    fast = Statistics(mean_o=5e6, mean_c=20e6, area=0.75, p=1e-9, distance=1.0)
    assert client_rule(slow, lambda: 1.0) is NO
    assert client_rule(slow, lambda: 1.0, fast) is YES
    assert client_rule(slow, lambda: 1.0, slow) is NO
    assert client_rule(fast, lambda: 1.0, slow) is YES


def mixed(share: float, *, target_bps: float, count: int = 200) -> Observation:
    """A target that is slow for a share of the time, beside a steady control; slices of 0.25 s."""
    slow = int(count * share)
    times = [0.25 * place + 0.1 for place in range(count)]
    sizes = [int(target_bps / 32)] * slow + [int(1e6 / 32)] * (count - slow)
    return observation(
        transfer("t", times, sizes), transfer("c", times, [int(1e6 / 32)] * count, role=Role.CONTROL, started_s=60)
    )


@pytest.mark.parametrize(
    ("given_", "outcome"),
    [
        (mixed(1.0, target_bps=0.3e6), YES),  # far apart, and stably so
        (mixed(1.0, target_bps=0.9e6), OPEN),  # halves reject, the area is small
        (mixed(0.0, target_bps=0.3e6), NO),  # neither
        (mixed(0.11, target_bps=0.3e6), NO),  # small area, unstable
    ],
)
def test_the_area_rule_of_2015_has_three_outcomes(given_: Observation, outcome: Outcome) -> None:
    assert AreaDetector().detect(given_).outcome is outcome


def test_one_rate_of_many_tests_is_found_and_a_slowdown_in_proportion_is_none() -> None:
    rng = np.random.default_rng(11)
    controls = rng.uniform(2e6, 20e6, 100)
    positive = np.arange(100) < 60
    exact = np.where(positive, 1.5e6, controls)
    assert [peak.rate_bps for peak in fixed_rates(exact, controls, positive)] == [pytest.approx(1.5e6, abs=0.1e6)]
    spread = rng.uniform(2e6, 60e6, 400)
    assert fixed_rates(spread * 0.6, spread, np.ones(400, np.bool_)) == []


def test_a_rate_that_controls_have_too_is_discarded() -> None:
    rng = np.random.default_rng(12)
    crowded = np.where(np.arange(200) < 120, rng.normal(1.5e6, 0.02e6, 200), rng.uniform(4e6, 20e6, 200))
    assert fixed_rates(crowded, crowded[::-1].copy(), np.arange(200) < 120) == []


def population(rates: list[tuple[float, float]]) -> Observation:
    made = []
    for place, (target_bps, control_bps) in enumerate(rates):
        for role, rate in ((Role.TARGET, target_bps), (Role.CONTROL, control_bps)):
            one = steady(f"{role}{place}", rate_bps=rate, duration_s=10, role=role, jitter=0.3, seed=place)
            made.append(replace(one, started_s=place * 30.0, labels={"pair": str(place)}))
    return observation(*made)


def test_a_population_needs_more_than_ten_positives() -> None:
    rng = np.random.default_rng(13)
    controls = rng.uniform(3e6, 12e6, 12).tolist()
    eleven = [(1.5e6 if place < 11 else bps, bps) for place, bps in enumerate(controls)]
    ten = [(1.5e6 if place < 10 else bps, bps) for place, bps in enumerate(controls)]
    assert PopulationDetector().detect(population(eleven)).outcome is YES
    assert PopulationDetector().detect(population(ten)).outcome is NO


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
    from testbed.detectors.methods.bbr_lt import BW_UNIT, _agree  # noqa: PLC0415

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


def path(name: str, *, started_s: float) -> Transfer:
    flow, _ = bottleneck_flow(kind="police", packets=3000, rate_bps=2e6, seed=4)
    made = flow_transfer(name, flow, started_s=started_s)
    return replace(made, labels={"path": name})


def test_paths_are_compared_at_the_same_time() -> None:
    """The same losses are common only where they happen together."""
    together = WeheyDetector().detect(observation(path("1", started_s=3.0), path("2", started_s=3.0)))
    apart = WeheyDetector().detect(observation(path("1", started_s=3.0), path("2", started_s=3.7)))
    assert isinstance(together.details["policer_share"], float)
    assert together.details["policer_share"] > 0.9
    assert apart.details["policer_share"] != together.details["policer_share"]
