"""The searches of probes, with a box that is a function."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.probes.budget import count_over_flows, range_read
from testbed.traffic.probes.fields import bytes_that_matter
from testbed.traffic.probes.path import echo_request
from testbed.traffic.probes.timeout import bisect

if TYPE_CHECKING:
    from testbed.records.probes import BudgetStep


@given(size=st.integers(1, 300), matters=st.sets(st.integers(0, 299), max_size=40))
def test_halving_finds_every_byte_that_matters(size: int, matters: set[int]) -> None:
    inside = sorted(at for at in matters if at < size)
    assert bytes_that_matter(size, lambda start, end: not any(start <= at < end for at in inside)) == inside


def test_halving_asks_little_where_little_matters() -> None:
    asked: list[tuple[int, int]] = []

    def acts(start: int, end: int) -> bool:
        asked.append((start, end))
        return not start <= 100 < end

    assert bytes_that_matter(256, acts) == [100]
    assert len(asked) <= 1 + 2 * 8


@given(timeout=st.floats(0.5, 3599), precision=st.sampled_from([0.5, 1.0, 10.0]))
def test_bisection_closes_in_on_the_timeout(timeout: float, precision: float) -> None:
    low, high = bisect(lambda seconds: seconds < timeout, 3600, precision)
    assert high is not None
    assert low <= timeout <= high
    assert high - low <= precision


def test_bisection_says_when_the_longest_is_too_short() -> None:
    assert bisect(lambda _: True, 300, 1) == (300, None)


def test_flows_are_tripled_only_where_all_agree() -> None:
    assert count_over_flows(lambda: True, 10) == (30, 30)
    assert count_over_flows(lambda: False, 10) == (30, 0)
    mixed = iter([True, False] * 10)
    assert count_over_flows(lambda: next(mixed), 10) == (10, 5)


@pytest.mark.parametrize(("least", "most"), [(3, 15), (15, 20), (4, 4)])
def test_the_range_of_a_drawn_budget_is_found(least: int, most: int) -> None:
    random = Random(5)  # noqa: S311 - reproducible, not secret
    steps: list[BudgetStep] = []
    for before in range(1, 31):
        flows, read = count_over_flows(lambda before=before: random.randint(least, most) >= before, 20)  # type: ignore[misc]
        steps.append({"before": before, "flows": flows, "read": read})
    assert range_read(steps) == (least, most)


def test_nothing_read_is_an_empty_range() -> None:
    assert range_read([{"before": 1, "flows": 30, "read": 0}]) == (0, 0)


@given(sequence=st.integers(0, 0xFFFF))
def test_echo_requests_have_a_right_checksum(sequence: int) -> None:
    request = echo_request(sequence)
    words = [int.from_bytes(request[at : at + 2], "big") for at, _ in pairwise(range(0, len(request) + 1, 2))]
    assert sum(words) % 0xFFFF == 0
