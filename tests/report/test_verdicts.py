from __future__ import annotations

import re
from typing import Any

import pytest

from testbed.report.verdicts import verdict_table
from tests.records.build import FREE, transfer

SLOW, FAST = transfer(id="slow"), transfer(id="fast", **FREE)


def verdict(subject: str, outcome: str, detector: str = "pd", why: str = "so") -> Any:
    """A verdict, as far as the table reads it."""
    return {"subject": subject, "detector": detector, "outcome": outcome, "why": why}


@pytest.mark.parametrize(
    ("subject", "outcome", "cell"),
    [
        ("slow", "throttled", '<td class="right" title="so">T</td>'),
        ("slow", "not throttled", '<td class="wrong" title="so">–</td>'),
        ("fast", "throttled", '<td class="wrong" title="so">T</td>'),
        ("fast", "not throttled", '<td class="right" title="so">–</td>'),
    ],
)
def test_right_and_wrong_are_told_apart_by_the_truth(subject: str, outcome: str, cell: str) -> None:
    assert cell in verdict_table([SLOW, FAST], [verdict(subject, outcome)])


def test_a_detector_that_could_judge_nothing_has_no_column() -> None:
    table = verdict_table([SLOW], [verdict("slow", "inconclusive", "idle"), verdict("slow", "throttled", "able")])
    assert re.findall('<th scope="col">(.*?)</th>', table) == ["transfer", "truth", "able"]


@pytest.mark.parametrize("verdicts", [[], [verdict("slow", "inconclusive")]])
def test_without_verdicts_there_is_no_table(verdicts: list[Any]) -> None:
    assert verdict_table([SLOW], verdicts) == ""


def test_what_a_detector_says_is_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    table = verdict_table([transfer(id=evil)], [verdict(evil, evil, evil, evil)])
    assert "<script>" not in table
