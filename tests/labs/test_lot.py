"""Lots: the same for the same seed, others for others; and no case twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.labs.catalogue import find_lab, lab_names
from testbed.labs.lot import Pick, all_picks, hidden_picks, seed_of, student_picks, truth_of
from tests.labs.made import made_lab

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = st.integers(1, 2**63 - 1)


@given(seed=SEEDS, name=st.sampled_from(lab_names()))
def test_a_student_gets_other_conditions_case_by_case_and_always_the_same(seed: int, name: str) -> None:
    lab = find_lab(name)
    picks = student_picks(lab, seed)
    assert picks == student_picks(lab, seed)
    assert len({each.condition for each in picks}) == len(picks)
    assert [each.case for each in picks] == [chr(65 + nth) for nth in range(len(picks))]
    # What is graded is nothing that was given.
    given_ = {(each.condition, each.variant) for each in picks}
    hidden = [(each.condition, each.variant) for each in hidden_picks(lab, seed)]
    assert not given_ & {*hidden}
    assert {*hidden} | given_ == {(each.condition, each.variant) for each in all_picks(lab)}


@pytest.mark.parametrize("name", [name for name in lab_names() if "/" not in name])
def test_of_two_students_few_have_the_same(name: str) -> None:
    lab = find_lab(name)

    def what(student: str) -> list[tuple[str, object]]:
        return [
            (each.condition, truth_of(lab, each).settings)
            for each in student_picks(lab, seed_of(lab.name, student, "key"))
        ]

    pairs = [(what(f"student {nth}"), what(f"student {nth + 100}")) for nth in range(100)]
    assert sum(one == other for one, other in pairs) <= 40  # of lab 5, with one case of four conditions, one in four


def test_seeds_hang_on_lab_name_and_key() -> None:
    seeds = {seed_of(*words) for words in [("1", "ann", ""), ("2", "ann", ""), ("1", "bob", ""), ("1", "ann", "key")]}
    assert len(seeds) == 4
    assert seed_of("1", "ann", "key") == seed_of("1", "ann", "key")


def test_what_is_drawn_stands_in_settings_and_answers(tmp_path: Path) -> None:
    lab = made_lab(tmp_path / "lab")
    truth = truth_of(lab, Pick("A", "slow", 1))
    rate = truth.answers["rate"]
    assert rate in (100, 200, 300)
    assert f"size={rate} kB" in truth.settings
    assert "censors.tspu=ru-tw-2021b" in truth.settings
    assert {truth_of(lab, Pick("A", "slow", nth)).answers["rate"] for nth in range(1, 50)} == {100, 200, 300}
