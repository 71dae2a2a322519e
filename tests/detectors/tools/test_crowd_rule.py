from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.tools.crowd_rule import DATA_SET_RULE, PAGE_RULE, RATIO_RULE, CrowdRule


@pytest.mark.parametrize(
    ("rule", "target", "control", "throttled"),
    [
        (PAGE_RULE, 599e3, 601e3, True),
        (PAGE_RULE, 600e3, 900e3, False),
        (DATA_SET_RULE, 199e3, 601e3, True),
        (DATA_SET_RULE, 199e3, 600e3, False),
        (RATIO_RULE, 199e3, 399e3, True),
        (RATIO_RULE, 199e3, 398e3, False),
    ],
)
def test_crowd_rules_at_their_thresholds(rule: CrowdRule, target: float, control: float, *, throttled: bool) -> None:
    assert rule(np.array([target]), np.array([control])).tolist() == [throttled]
