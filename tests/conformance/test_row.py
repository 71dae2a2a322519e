"""What a row is worth, by what was published and what our box did."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbed.conformance.row import AGREES, AS_CONFIGURED, ASSUMED, DIFFERS, Measured, Row
from tests.middlebox.build import profile

ROW = Row(
    topic="policing", name="a situation", published="dropped", source="X21", grade="published", profile="ru-tw-2021a",
    check=lambda _: "dropped",
)  # fmt: skip


@pytest.mark.parametrize(
    ("row", "verdict", "is_surprise"),
    [
        (ROW, AGREES, False),
        (replace(ROW, grade="assumption"), ASSUMED, False),
        (replace(ROW, restates="action.kind"), AS_CONFIGURED, False),
        (replace(ROW, restates="action.kind", grade="assumption"), ASSUMED, False),
        (replace(ROW, published="passed"), DIFFERS, True),
        (replace(ROW, published="passed", known_difference="why"), DIFFERS, False),
        (replace(ROW, published="passed", grade="assumption"), DIFFERS, True),
    ],
)
def test_only_what_was_published_and_not_given_counts_as_agreement(
    row: Row, verdict: str, *, is_surprise: bool
) -> None:
    found = row.find(profile)
    assert (found.verdict, found.is_surprise, found.ours) == (verdict, is_surprise, "dropped")


@pytest.mark.parametrize(
    ("value", "within", "verdict"),
    [(130, (130, 150), AGREES), (150, (130, 150), AGREES), (129.9, (130, 150), DIFFERS), (140, None, DIFFERS)],
)
def test_a_quantity_lies_within_what_was_published(
    value: float, within: tuple[float, float] | None, verdict: str
) -> None:
    found = replace(ROW, check=lambda _: Measured(value, "so much"), within=within).find(profile)
    assert (found.verdict, found.ours) == (verdict, "so much")


def test_a_row_may_ask_for_another_meter() -> None:
    row = replace(ROW, meter="coarse_refill", check=lambda used: used.meter.kind if used.meter else "none")
    assert row.find(profile).ours == "coarse_refill"
