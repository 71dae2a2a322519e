from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from testbed.detectors.methods.wehe_2015 import Wehe2015Detector, normalised_area
from testbed.detectors.observation import Observation, Role
from testbed.detectors.verdict import Outcome
from tests.detectors.build import observation, transfer


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


YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


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
    assert Wehe2015Detector().detect(given_).outcome is outcome
