"""What the rows on several flows measure with; tests/conformance/test_published_rows.py tries the rows themselves."""

from __future__ import annotations

import pytest

from testbed.conformance.across_flows import ROWS
from tests.middlebox.build import profile

BY_NAME = {row.name: row for row in ROWS}


@pytest.mark.parametrize(("name", "instead"), [
    ("the address after one fetch by name from it", "tr-2022-block"),
    ("four at once of one name, the fourth", "ru-ech-2024"),
    ("another user behind the address", "ru-tw-2021a"),
])  # fmt: skip
def test_a_box_without_the_mechanism_is_told_apart(name: str, instead: str) -> None:
    assert not BY_NAME[name].find(lambda _: profile(instead)).matches


def test_a_line_that_is_not_slow_is_told_apart() -> None:
    row = BY_NAME["a domestic download after a strong foreign one"]
    found = row.find(lambda name: profile(name, action__after_amount_bytes=10**9))
    assert not found.matches
    assert found.ours == "100.0 Mbit/s"
