"""Instants as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from testbed.scenario.instant import parse_instant


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2021-03-10T09:00Z", datetime(2021, 3, 10, 9, tzinfo=UTC)),
        ("2021-03-10T12:00+03:00", datetime(2021, 3, 10, 9, tzinfo=UTC)),
        ("2021-03-10", datetime(2021, 3, 10, tzinfo=UTC)),
        (date(2021, 3, 10), datetime(2021, 3, 10, tzinfo=UTC)),
        (datetime(2021, 3, 10, 9), datetime(2021, 3, 10, 9, tzinfo=UTC)),  # noqa: DTZ001 - as YAML has it
    ],
)
def test_an_instant_without_a_zone_is_utc(written: object, instant: datetime) -> None:
    assert parse_instant(written) == instant


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("yesterday", "expected an instant such as 2021-03-10T09:00Z, got 'yesterday'"),
        (2021, "expected an instant such as 2021-03-10T09:00Z, got 2021"),
        ("1970-06-01", "expected an instant from 1971 to 2232, got 1970-06-01"),
        ("2232-01-01", "expected an instant from 1971 to 2232, got 2232-01-01"),
    ],
)
def test_what_is_no_instant_of_the_guests_clock_is_refused(written: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_instant(written)
