from __future__ import annotations

import json

import pytest

from testbed.detectors.verdict import Mechanism, Outcome, Verdict, verdict_from_json, verdict_to_json

VERDICT = Verdict(
    detector="d", outcome=Outcome.THROTTLED, why="so", rate_bps=1.5, mechanism=Mechanism.POLICING, details={"a": [1]}
)


def test_a_verdict_comes_back_as_it_was_written() -> None:
    assert verdict_from_json(json.loads(json.dumps(verdict_to_json(VERDICT))), detector="x") == VERDICT


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "object"),
        ({"why": "x"}, "outcome is None"),
        ({"outcome": "maybe", "why": "x"}, "not one of: throttled, not throttled, inconclusive"),
        ({"outcome": "throttled"}, "why is None"),
        ({"outcome": "throttled", "why": ""}, "why is ''"),
        ({"outcome": "throttled", "why": "x", "rate_bps": "1"}, "rate_bps is '1'"),
        ({"outcome": "throttled", "why": "x", "rate": 1}, "no field 'rate'"),
        ({"outcome": "throttled", "why": "x", "content_specific": 1}, "content_specific is 1"),
        ({"outcome": "throttled", "why": "x", "mechanism": "magic"}, "not one of: policing"),
        ({"outcome": "throttled", "why": "x", "details": 3}, "details is 3"),
        ({"outcome": "throttled", "why": "x", "score": float("inf")}, "score is inf"),
    ],
)
def test_a_verdict_that_is_none_is_refused_by_name(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        verdict_from_json(value, detector="x")
