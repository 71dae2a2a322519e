"""The methods that compare a target with a control: their published rules, case by case."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy import integrate

from testbed.detectors.methods.glasnost import GlasnostDetector, differentiates, noise
from testbed.detectors.methods.ooni import OoniDetector
from testbed.detectors.methods.replay import ReplayDetector
from testbed.detectors.methods.wehe import Statistics, client_rule, compare, research_rule, server_rule
from testbed.detectors.methods.wehe_2015 import normalised_area
from testbed.detectors.observation import Ending, Observation, Role, Transfer
from testbed.detectors.registry import load_detector
from testbed.detectors.tools.ks import ks_test, resampling_ratio
from testbed.detectors.verdict import Mechanism, Outcome
from tests.detectors.build import observation, steady, transfer

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE
Rule = Callable[[Statistics, Callable[[], float]], Outcome]


def statistics(area: float, p: float, *, mean: float = 1e6) -> Statistics:
    return Statistics(mean_o=mean * (1 - max(area, 0)), mean_c=mean * (1 + min(area, 0)), area=area, p=p, distance=0.5)


@pytest.mark.parametrize(
    ("rule", "found", "ratio", "outcome"),
    [
        # the client: area 0.5, or 0.3 above 10 Mbit/s; p 0.01; the ratio does not count
        (client_rule, statistics(0.50, 0.001), 0.0, YES),
        (client_rule, statistics(0.49, 0.001), 1.0, NO),
        (client_rule, statistics(0.50, 0.01), 1.0, OPEN),
        (client_rule, statistics(0.31, 0.001, mean=11e6), 1.0, YES),
        (client_rule, statistics(0.31, 0.001, mean=9e6), 1.0, NO),
        (client_rule, statistics(-0.6, 0.001), 1.0, NO),  # "prioritised"
        # the server: area 0.1 and p 0.05, signed
        (server_rule, statistics(0.11, 0.04), 0.0, YES),
        (server_rule, statistics(0.09, 0.06), 0.0, NO),
        (server_rule, statistics(0.11, 0.06), 0.0, OPEN),
        (server_rule, statistics(0.09, 0.04), 0.0, OPEN),
        (server_rule, statistics(-0.6, 0.001), 0.0, OPEN),
        # the research client: the server's rule if the test is stable, else the area alone
        (research_rule, statistics(0.11, 0.04), 0.96, YES),
        (research_rule, statistics(0.11, 0.06), 0.96, OPEN),
        (research_rule, statistics(0.11, 0.06), 0.95, YES),
        (research_rule, statistics(0.09, 0.04), 0.95, NO),
    ],
)
def test_wehes_three_rules(rule: Rule, found: Statistics, ratio: float, outcome: Outcome) -> None:
    assert rule(found, lambda: ratio) is outcome


def test_wehes_means_count_zeros_and_its_test_does_not() -> None:
    original, control = np.array([0, 0, 1.0, 1.0]), np.array([2.0, 2.0, 2.0, 2.0])
    found = compare(original, control)
    assert (found.mean_o, found.mean_c, found.area) == (0.5, 2.0, 0.75)
    assert found.distance == ks_test(np.array([1.0, 1.0]), control)[1]


def test_a_replay_without_throughput_gives_wehe_no_result() -> None:
    with pytest.raises(ValueError, match="above zero"):
        compare(np.zeros(10), np.ones(10))


def test_resampling_agrees_where_the_lists_clearly_differ_or_are_alike() -> None:
    rng = np.random.default_rng(1)
    low, high, alike = rng.normal(1, 0.1, 100), rng.normal(9, 0.1, 100), rng.normal(1, 0.1, 100)
    again = partial(resampling_ratio, rng=rng)
    assert again(low, high, p=1e-9) == 1.0
    assert again(low, alike, p=0.8) > 0.9
    assert again(low, high, p=0.8) == 0.0


def test_resampling_is_repeatable() -> None:
    first, second = np.linspace(0, 1, 60), np.linspace(0.2, 1.2, 60)
    ratios = {resampling_ratio(first, second, p=0.01, rng=np.random.default_rng(7)) for _ in range(3)}
    assert len(ratios) == 1


def test_the_area_is_the_integral_between_inverse_distribution_functions() -> None:
    original, control = np.array([3.0, 1.0, 2.0]), np.array([4.0, 8.0])

    def inverse(samples: list[float], q: float) -> float:
        place = q * len(samples)
        points = [0.0, *sorted(samples)]
        low = min(int(place), len(samples) - 1)
        return points[low] + (place - low) * (points[low + 1] - points[low])

    area, _ = integrate.quad(
        lambda q: abs(inverse(original.tolist(), q) - inverse(control.tolist(), q)), 0.001, 1, limit=400
    )
    assert normalised_area(original, control) == pytest.approx(area / 3, rel=1e-4)


def test_equal_lists_have_no_area_and_empty_ones_none_at_all() -> None:
    assert normalised_area(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 0
    with pytest.raises(ValueError, match="above zero"):
        normalised_area(np.zeros(3), np.ones(3))


def pair(target_bps: float, control_bps: float, *, duration_s: float = 20) -> Observation:
    return observation(
        steady("t", rate_bps=target_bps, duration_s=duration_s, jitter=0.3),
        steady("c", rate_bps=control_bps, duration_s=duration_s, role=Role.CONTROL, jitter=0.3, started_s=30, seed=2),
    )


@pytest.mark.parametrize("name", ["wehe", "wehe-server", "wehe-research", "wehe-2015", "replay", "crowd", "ooni"])
def test_every_paired_method_sees_a_tenth_of_the_speed(name: str) -> None:
    verdict = load_detector(name).detect(pair(140e3, 2e6))
    assert verdict.outcome is YES
    assert verdict.content_specific is True
    assert verdict.rate_bps == pytest.approx(140e3, rel=0.1)


@pytest.mark.parametrize("name", ["wehe", "wehe-2015", "replay", "crowd", "ooni", "wehe-server", "wehe-research"])
def test_no_paired_method_sees_a_faster_target_as_throttled(name: str) -> None:
    assert load_detector(name).detect(pair(2e6, 140e3)).outcome is not YES


@pytest.mark.parametrize("name", ["wehe", "replay", "ooni"])
def test_a_control_that_moved_nothing_tells_nothing(name: str) -> None:
    broken = observation(
        steady("t", rate_bps=140e3, duration_s=20), transfer("c", [], [], role=Role.CONTROL, started_s=30)
    )
    assert load_detector(name).detect(broken).outcome is OPEN


def test_wehe_asks_again_and_the_second_pair_decides() -> None:
    slow, fast = pair(140e3, 2e6), pair(2e6, 2e6)

    def both(first: Observation, second: Observation) -> Observation:
        renamed = [
            steady(
                f"{item.id}{place}",
                rate_bps=item.goodput_bps or 0,
                duration_s=20,
                role=item.role,
                jitter=0.3,
                started_s=place * 100 + item.started_s,
                labels={"pair": str(place)},
                seed=place,
            )
            for place, part in enumerate((first, second))
            for item in part.transfers
        ]
        return observation(*renamed)

    wehe = load_detector("wehe")
    assert wehe.detect(both(slow, slow)).outcome is YES
    assert wehe.detect(both(slow, fast)).outcome is NO
    assert wehe.detect(both(fast, slow)).outcome is NO


@pytest.mark.parametrize(
    ("speeds", "expected"), [([10.0, 10, 10], 0.0), ([8.0, 10, 9], 0.1), ([10.0, 5], 0.0), ([6.0, 10, 5], 0.4)]
)
def test_glasnosts_noise_is_the_distance_of_the_upper_median_from_the_maximum(
    speeds: list[float], expected: float
) -> None:
    assert noise(speeds) == pytest.approx(expected)


def test_glasnost_compares_maxima_unless_a_type_is_noisy() -> None:
    assert differentiates([7.0, 7, 7], [10.0, 10, 10]) == pytest.approx(0.3)
    assert differentiates([7.0, 5, 4], [10.0, 10, 10]) is None


def glasnost(target: list[float], control: list[float]) -> Observation:
    transfers = [
        steady(f"{role}{place}", rate_bps=speed, duration_s=10, role=role, started_s=place * 20)
        for role, speeds in ((Role.TARGET, target), (Role.CONTROL, control))
        for place, speed in enumerate(speeds)
    ]
    return observation(*transfers)


@pytest.mark.parametrize(
    ("target", "control", "outcome"),
    [
        ([1e6] * 3, [2e6] * 3, YES),
        ([1.7e6] * 3, [2e6] * 3, NO),
        ([2e6] * 3, [1e6] * 3, NO),
        ([1e6, 0.2e6, 0.3e6], [2e6] * 3, OPEN),
        ([1.2e6] * 2, [2e6] * 2, NO),  # two repeats: half is asked for
        ([0.8e6] * 2, [2e6] * 2, YES),
        ([1e6], [2e6], OPEN),
    ],
)
def test_glasnosts_rule(target: list[float], control: list[float], outcome: Outcome) -> None:
    assert GlasnostDetector().detect(glasnost(target, control)).outcome is outcome


def test_a_target_that_never_settles_is_no_plateau() -> None:
    rising = transfer("t", np.sqrt(np.linspace(0, 900, 300)).tolist(), [1448] * 300)
    control = steady("c", rate_bps=5e6, duration_s=5, role=Role.CONTROL)
    assert ReplayDetector().detect(observation(rising, control)).outcome is OPEN


def test_a_slow_target_that_ends_before_it_could_settle_is_open() -> None:
    assert ReplayDetector().detect(pair(140e3, 2e6, duration_s=5)).outcome is OPEN


def kazakhstan(handshake_s: float) -> list[Transfer]:
    points = ([0.5, 1.0], [4000, 4000])
    return [
        transfer("t", *points, handshake_s=handshake_s, ending=Ending.TIMEOUT),
        transfer("c", *points, role=Role.CONTROL, handshake_s=0.2),
    ]


@pytest.mark.parametrize(("handshake_s", "outcome"), [(4.0, YES), (1.9, NO), (2.1, YES)])
def test_ooni_sees_starved_handshakes(handshake_s: float, outcome: Outcome) -> None:
    verdict = OoniDetector().detect(observation(*kazakhstan(handshake_s)))
    assert verdict.outcome is outcome
    assert verdict.details["timeouts"] == 1


def test_ooni_calls_a_target_without_a_byte_blocked() -> None:
    blocked = observation(transfer("t", [], []), steady("c", rate_bps=1e6, duration_s=2, role=Role.CONTROL))
    verdict = OoniDetector().detect(blocked)
    assert (verdict.outcome, verdict.mechanism) == (NO, Mechanism.BLOCKED)
