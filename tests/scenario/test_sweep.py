"""A sweep is every combination of seeds and values, each with a folder's name of its own."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.scenario.sweep import MOST_RUNS, parse_seeds, variants


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", [7]), ("1-3", [1, 2, 3]), ("1,5, 9-11", [1, 5, 9, 10, 11]), (str((1 << 63) - 1), [(1 << 63) - 1])],
)
def test_seeds_are_numbers_spans_and_lists(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "0", "3-1", "1-", "-1", "many", "1,", "1.5", str(1 << 63), "²"])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected whole numbers from 1 to 2\*\*63 - 1"):
        parse_seeds(text)


def test_too_many_seeds_and_seeds_that_stand_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 10000 seeds"):
        parse_seeds("1-100000")
    with pytest.raises(ValueError, match="stands twice"):
        parse_seeds("1-5,3")


def test_without_anything_to_vary_there_is_one_run() -> None:
    [only] = variants(["meter=coarse_refill"], None)
    assert (only.seed, only.settings) == (None, ("meter=coarse_refill",))
    [only] = variants([], [7])
    assert only.seed == 7


def test_values_with_bars_between_them_and_seeds_are_combined() -> None:
    found = variants(["meter=token_bucket|coarse_refill", "title=x"], [1, 2])
    assert [(each.name, each.seed, each.settings) for each in found] == [
        ("meter=token_bucket_seed=1", 1, ("meter=token_bucket", "title=x")),
        ("meter=token_bucket_seed=2", 2, ("meter=token_bucket", "title=x")),
        ("meter=coarse_refill_seed=1", 1, ("meter=coarse_refill", "title=x")),
        ("meter=coarse_refill_seed=2", 2, ("meter=coarse_refill", "title=x")),
    ]


def test_a_bar_in_brackets_or_quotes_is_a_character() -> None:
    assert len(variants(["a=[x|y]"], None)) == 1
    assert len(variants(["a='x|y'"], None)) == 1
    assert [each.settings for each in variants(["a=[1]|[2, 3]"], None)] == [("a=[1]",), ("a=[2, 3]",)]


def test_names_that_a_folder_cannot_have_are_told_apart() -> None:
    names = [each.name for each in variants(["a=x y|x?y|x/y"], None)]
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9._=+-]+", name) for name in names)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["a=1||2"], "an empty value"),
        (["a=1|1"], "a value stands twice"),
        (["a=" + "|".join(map(str, range(101)))] * 2, "10201 runs"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(settings: list[str], problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        variants(settings, None)
    assert MOST_RUNS < 10_201


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=6, unique=True))
def test_whatever_the_values_are_folders_have_names_of_their_own(values: list[str]) -> None:
    try:
        names = [each.name for each in variants(["a=" + "|".join(values)], [1, 2])]
    except ScenarioError:
        return
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9._=+-]{1,110}", name) for name in names)
