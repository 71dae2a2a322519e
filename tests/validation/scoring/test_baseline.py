"""Baselines: written, read again, and refused if they are something else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import RecordError
from testbed.records.label import COUNTED
from testbed.validation.scoring.baseline import baseline_of, method_of, read_baseline
from tests.validation.cells import scored
from tests.validation.test_cells import SUITE

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.validation.scoring.baseline import Baseline, Method
    from testbed.validation.scoring.scores import Scored

METHOD: Method = {"suite": "a", "scoring": "b", "labels": "c"}


def baseline(*verdicts: Scored, **changes: Any) -> Baseline:
    digests = {each.detector: f"digest of {each.detector}" for each in verdicts}
    made = baseline_of(list(verdicts), suite="toy", method=METHOD, held_out_seed="x", digests=digests)
    return {**made, **changes}  # type: ignore[typeddict-item]  # some are wrong on purpose


LINES = [
    scored("a/1", "throttled", "throttled"), scored("a/2", "throttled", "inconclusive"),
    scored("b/1", "not throttled", "not throttled"), scored("b/2", "not throttled", "inconclusive", failed="broke"),
]  # fmt: skip


def test_a_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(baseline(*LINES)))
    assert read_baseline(path) == baseline(*LINES)
    assert read_baseline(path)["detectors"]["d"]["outcomes"] == "TINF"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no baseline"),
        ("[]", "format None"),
        ("[" * 100_000, "no baseline"),
        (json.dumps(baseline(*LINES, format=2)), "format 2, where 1 is read"),
        (json.dumps(baseline(*LINES, lines=[])), "one letter"),
        (json.dumps(baseline(*LINES, detectors={"d": {"digest": "", "outcomes": "TINX"}})), "one letter"),
        (json.dumps(baseline(*LINES, detectors=[])), "no baseline"),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=why):
        read_baseline(path)


def test_the_method_is_another_with_another_suite_or_other_labels() -> None:
    one = method_of(SUITE, COUNTED)
    assert one == method_of(SUITE, dict(COUNTED))
    other = method_of(SUITE.model_copy(update={"title": "another"}), {**COUNTED, "frozen": "throttled"})
    assert [key for key in one if one[key] != other[key]] == ["suite", "labels"]  # type: ignore[literal-required]
