from __future__ import annotations

import pytest

from testbed.detectors.methods.glasnost import GlasnostDetector, differentiates, noise
from testbed.detectors.observation import Observation, Role
from testbed.detectors.verdict import Outcome
from tests.detectors.build import observation, repeats, steady

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


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
