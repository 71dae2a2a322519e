"""What a checker printed and how it ended: a verdict, or a reason why there is none."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.verdict import Outcome
from testbed.errors import InputError
from testbed.validation.checkers.answer import answer_of

JSON = '{"outcome": "throttled", "why": "slow"}'


def answer(printed: str, status: int = 0, **how: Any) -> Any:
    return answer_of("run:mine", printed, status, **({"statuses": {}, "words": {}} | how))


@pytest.mark.parametrize(
    ("printed", "status", "how", "outcome", "why"),
    [
        (JSON, 0, {}, "throttled", "slow"),
        (f"measuring…\n  {JSON}\nbye\n", 1, {}, "throttled", "slow"),
        (f'{{"outcome": "inconclusive", "why": "first"}}\n{JSON}', 0, {}, "throttled", "slow"),
        ("", 3, {"statuses": {3: "not throttled"}}, "not throttled", "it ended with status 3"),
        ("so\nslow\n", 0, {"statuses": {0: "throttled"}}, "throttled", "it ended with status 0: slow"),
        ("all is FINE", 9, {"words": {"not throttled": ["FINE", "OK"], "throttled": ["SLOW"]}}, "not throttled",
         "it printed: all is FINE"),
        ("begin\nFINE\nand OK\nend", 0, {"words": {"not throttled": ["FINE", "OK"]}}, "not throttled",
         "it printed: and OK"),
    ],
)  # fmt: skip
def test_an_answer_is_read(printed: str, status: int, how: dict[str, Any], outcome: str, why: str) -> None:
    found = answer(printed, status, **how)
    assert (found.outcome, found.why, found.detector) == (Outcome(outcome), why, "run:mine")


@pytest.mark.parametrize(
    ("printed", "status", "how", "problem"),
    [
        ("", 0, {}, "no line with a verdict as JSON, and ended with status 0: it printed nothing"),
        ("throttled, I think", 1, {"complaints": "Traceback: boom"}, "ended with status 1: Traceback: boom"),
        ('{"outcome": "slow", "why": "x"}', 0, {}, "outcome is 'slow', not one of"),
        ('{"outcome": "throttled"}', 0, {}, "why is None"),
        ('{"outcome": "throttled", "why": "x", "score": NaN}', 0, {}, "NaN is not JSON"),
        ('{"outcome": "throttled", "why": "x", "rate_bps": -1}', 0, {}, "rate_bps is -1"),
        ('{"outcome": "throttled", "why": "x", "rate_bps": 1e999}', 0, {}, "rate_bps is inf"),
        ('{"outcome": "throttled", "why": "x", "colour": 1}', 0, {}, "no field 'colour'"),
        ('{"outcome": "throttled", ', 0, {}, "not JSON"),
        (f"{JSON}", 139, {}, "ended with status 139"),
        ("", 2, {"statuses": {0: "throttled"}}, "status 2, which its description gives no meaning"),
        ("SLOW but OK", 0, {"words": {"throttled": ["SLOW"], "not throttled": ["OK"]}}, "several outcomes"),
        ("hm", 0, {"words": {"throttled": ["SLOW"]}}, "none of the words of its description: hm"),
    ],
)
def test_what_is_no_answer_is_told(printed: str, status: int, how: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        answer(printed, status, **how)


@given(st.text(), st.integers(0, 255), st.sampled_from([{}, {0: "throttled"}]))
def test_whatever_is_printed_nothing_but_a_reason_is_raised(
    printed: str, status: int, statuses: dict[int, str]
) -> None:
    with contextlib.suppress(InputError):
        assert answer(printed, status, statuses=statuses).why
