"""What the detectors say of the first day, beside the ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.detectors.detect import detect
from testbed.detectors.verdict import Outcome

if TYPE_CHECKING:
    from tests.conftest import FinishedRun

PAIRED = ("wehe", "wehe-server", "wehe-research", "replay", "crowd", "ooni", "joint")
SINGLE = ("pd", "bbr-lt", "token-bucket")


@pytest.fixture(scope="module")
def outcomes(first_day: FinishedRun) -> dict[tuple[str, str], Outcome]:
    """Outcome by transfer and detector."""
    rows = detect([first_day.path], (*PAIRED, *SINGLE, "shaperprobe", "wehe-2015"))
    return {(row.subject, row.verdict.detector): row.verdict.outcome for row in rows}


@pytest.mark.parametrize("detector", [*PAIRED, *SINGLE])
def test_throttled_downloads_are_called_throttled(
    first_day: FinishedRun, outcomes: dict[tuple[str, str], Outcome], detector: str
) -> None:
    throttled = [each for each in first_day.manifest["transfers"] if each["throttled"]]
    downloads = [each["id"] for each in throttled if each["direction"] == "download"]
    assert len(downloads) == 14
    assert {outcomes[name, detector] for name in downloads} == {Outcome.THROTTLED}


@pytest.mark.parametrize("detector", [*PAIRED, *SINGLE, "shaperprobe", "wehe-2015"])
def test_nothing_else_is_called_throttled(
    first_day: FinishedRun, outcomes: dict[tuple[str, str], Outcome], detector: str
) -> None:
    """Neither a control, nor a line without a box, nor what stands behind the failed gateway."""
    free = [each["id"] for each in first_day.manifest["transfers"] if not each["throttled"]]
    assert len(free) == 23
    assert Outcome.THROTTLED not in {outcomes[name, detector] for name in free}


@pytest.mark.parametrize(
    ("detector", "expected"), [("shaperprobe", Outcome.NOT_THROTTLED), ("wehe-2015", Outcome.INCONCLUSIVE)]
)
def test_methods_that_cannot_see_it_do_not_pretend(
    first_day: FinishedRun, outcomes: dict[tuple[str, str], Outcome], detector: str, expected: Outcome
) -> None:
    """A limit from byte 0 has no level shift; controls of a second give too few slices of 0.25 s."""
    throttled = [each["id"] for each in first_day.manifest["transfers"] if each["throttled"]]
    assert {outcomes[name, detector] for name in throttled} == {expected}
