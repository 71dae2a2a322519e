from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.records.clock import iso_time


@pytest.mark.parametrize(
    ("instant_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1_615_366_800_000_000_000, "2021-03-10T09:00:00.000000000Z"),
        (1_615_366_801_325_728_512, "2021-03-10T09:00:01.325728512Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
    ],
)
def test_an_instant_is_written_to_the_nanosecond(instant_ns: int, text: str) -> None:
    assert iso_time(instant_ns) == text


@given(st.integers(0, 2**63 // 1000))
def test_the_text_reads_back_as_the_same_microsecond(instant_us: int) -> None:
    read = datetime.fromisoformat(iso_time(instant_us * 1000)[:26] + "+00:00")
    assert (read - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() == pytest.approx(instant_us / 1e6, rel=1e-15)
