"""Expressions that would be tried for ever are told from those that are not."""

from __future__ import annotations

import pytest

from testbed.scenario.backtracking import may_try_for_ever


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$", "(a*)*$", "(?:a+)+$", "(a+?)+?$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}$", "([a-z]+)*$", "x(y(z+)w?)*$",
        "(?P<n>a+)+$", "(?i:a+)+$", "((ab)+c?)+$", "(a|b|ab)*$", "(?=(a+)+$)", "(a{1,3}){30}$", "(\\w+\\s?)*$",
    ],
)  # fmt: skip
def test_a_repetition_of_what_can_be_divided_is_found(pattern: str) -> None:
    assert may_try_for_ever(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        ".", "a+b+c+", "^(www|m)\\.t\\.co$", "(foo|bar)+$", "(a++)+$", "(?:[a-z0-9-]++\\.)*twitter\\.com", "(?>a+)+$",
        "(a{2}){3}", "(ab)+", "[ab]+", "(a?){3}", "tw(i|itter)\\.com", ".*twimg.*", "(a|b)*$", "", "(\\.[a-z]{3})+$",
    ],
)  # fmt: skip
def test_what_ends_soon_is_let_through(pattern: str) -> None:
    assert not may_try_for_ever(pattern)
