"""Comparison with a baseline: changes are named, and chance is told from a regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.errors import InvalidRunError
from testbed.validation.scoring.comparison import Severity, compare
from tests.validation.cells import scored
from tests.validation.scoring.test_baseline import baseline

if TYPE_CHECKING:
    from testbed.records.label import Label
    from testbed.validation.scoring.baseline import Baseline
    from testbed.validation.scoring.scores import Scored


def said(letters: str, condition: str = "a", label: Label = "throttled", detector: str = "d") -> Baseline:
    words = {"T": "throttled", "N": "not throttled", "I": "inconclusive"}
    return baseline(
        *(scored(f"{condition}/{at}", label, words[each], detector=detector) for at, each in enumerate(letters))
    )


def test_the_same_is_no_change() -> None:
    found = compare(said("TTNI"), said("TTNI"))
    assert (found.compared, found.detectors[0].severity, found.detectors[0].changes) == (4, Severity.SAME, ())


@pytest.mark.parametrize(
    ("before", "now", "label", "severity", "worse_and_better"),
    [
        ("TTTTTT", "NNNNNN", "throttled", Severity.REGRESSION, (6, 0)),  # p = 2 / 2^6
        ("TTTTTT", "NNNNNT", "throttled", Severity.WORSE, (5, 0)),  # p = 2 / 2^5
        ("TTNNNN", "NTTTTT", "throttled", Severity.CHANGED, (1, 4)),
        ("TTTT", "TTTI", "throttled", Severity.WORSE, (1, 0)),
        ("NNNN", "NNNI", "not throttled", Severity.CHANGED, (0, 0)),  # in doubt is no alarm
        ("NNNN", "NNNT", "not throttled", Severity.WORSE, (1, 0)),
    ],
)
def test_how_bad_a_change_is(
    before: str, now: str, label: Label, severity: Severity, worse_and_better: tuple[int, int]
) -> None:
    (found,) = compare(said(before, label=label), said(now, label=label)).detectors
    assert (found.severity, (len(found.worse), len(found.better))) == (severity, worse_and_better)


def test_what_is_lost_in_one_condition_is_not_made_good_by_others() -> None:
    words = ("throttled", "not throttled")
    before = [scored(f"a/{at}", "throttled", words[0]) for at in range(9)]
    before += [scored(f"b/{at}", "throttled", words[1]) for at in range(9)]
    now = [scored(f"a/{at}", "throttled", words[1]) for at in range(9)]
    now += [scored(f"b/{at}", "throttled", words[0]) for at in range(9)]
    (found,) = compare(baseline(*before), baseline(*now)).detectors
    assert found.p == 1.0
    assert found.conditions["a"] == pytest.approx(2 / 2**9)
    assert found.severity is Severity.REGRESSION


def test_p_is_corrected_for_the_number_of_detectors() -> None:
    def both(letters: str) -> Baseline:
        one, other = said(letters), said("T" * len(letters), detector="e")
        return {**one, "detectors": {**one["detectors"], **other["detectors"]}}

    found = {each.detector: each for each in compare(both("TTTTTT"), both("NNNNNN")).detectors}
    assert found["d"].p == pytest.approx(2 * 2 / 2**6)


def test_another_method_is_no_regression() -> None:
    other = {**said("TT"), "method": {"suite": "a", "scoring": "z", "labels": "c"}}
    with pytest.raises(InvalidRunError, match="another method \\(scoring changed\\)"):
        compare(other, said("TT"))  # type: ignore[arg-type]


def test_another_world_is_not_compared() -> None:
    lines = [scored("a/1", "throttled", "throttled"), scored("a/2", "throttled", "throttled", observation="new")]
    found = compare(said("TTT"), baseline(*lines))
    assert (found.compared, found.other_world) == (0 + 1, 1)
    with pytest.raises(InvalidRunError, match="none of the baseline's 3 observations"):
        compare(said("TTT"), baseline(lines[1]))


def test_detectors_that_one_side_has_are_named() -> None:
    one, two = said("T", detector="old"), said("T", detector="new")
    same = said("T")["detectors"]
    found = compare(
        {**one, "detectors": {**one["detectors"], **same}}, {**two, "detectors": {**two["detectors"], **same}}
    )
    assert (found.added, found.removed, [each.detector for each in found.detectors]) == (["new"], ["old"], ["d"])


def test_p_is_corrected_for_the_number_of_conditions() -> None:
    def lines(lost: str) -> list[Scored]:
        return [scored(f"{name}/{at}", "throttled", lost) for name in "ab" for at in range(6)]

    (found,) = compare(baseline(*lines("throttled")), baseline(*lines("not throttled"))).detectors
    assert found.conditions["a"] == pytest.approx(2 / 2**6)
    worse_in_one = [*lines("throttled")[:6], *lines("not throttled")[6:11], lines("throttled")[11]]
    (other,) = compare(baseline(*lines("throttled")), baseline(*worse_in_one)).detectors
    assert other.conditions == {"b": pytest.approx(2 / 2**5)}
    both = [*lines("not throttled")[:6], *worse_in_one[6:]]
    (two,) = compare(baseline(*lines("throttled")), baseline(*both)).detectors
    assert two.conditions == {"a": pytest.approx(2 * 2 / 2**6), "b": pytest.approx(2 / 2**5)}


def test_a_condition_that_got_better_is_no_regression() -> None:
    before = [scored(f"a/{at}", "throttled", "not throttled") for at in range(9)]
    now = [scored(f"a/{at}", "throttled", "throttled") for at in range(9)]
    (found,) = compare(baseline(*before), baseline(*now)).detectors
    assert found.conditions["a"] < 0.01
    assert found.severity is Severity.CHANGED


def test_nothing_in_common_is_no_comparison() -> None:
    with pytest.raises(InvalidRunError, match="has not asked e"):
        compare(said("T", detector="d"), said("T", detector="e"))
