"""Each place for a box gets the profile of its date and kind of line, and a seed of its own."""

from __future__ import annotations

from tests.scenario.plans import first_day


def test_only_lines_with_a_tspu_get_a_box() -> None:
    assert {name: box["profile"]["name"] for name, box in first_day().data["boxes"].items()} == {
        "mobile-tspu": "ru-tw-2021a",
        "landline-tspu": "ru-tw-2021a",
    }


def test_a_date_on_which_the_family_spares_landlines_leaves_their_box_out() -> None:
    assert set(first_day("date=2021-05-18").data["boxes"]) == {"mobile-tspu"}


def test_each_box_has_a_seed_of_its_own_that_follows_the_runs() -> None:
    def seeds(seed: int) -> dict[str, int]:
        return {name: box["seed"] for name, box in first_day(seed=seed).data["boxes"].items()}

    assert seeds(1) == seeds(1)
    assert len({*seeds(1).values(), *seeds(2).values()}) == 4


def test_the_meter_of_the_scenario_goes_before_the_profiles() -> None:
    kinds = {box["profile"]["meter"]["kind"] for box in first_day("meter=coarse_refill").data["boxes"].values()}
    assert kinds == {"coarse_refill"}


def test_a_line_that_its_profile_leaves_without_a_box_says_why() -> None:
    plan = first_day("date=2021-05-18")
    assert list(plan.data["without_box"]) == ["landline"]
    assert "spares landline lines" in plan.data["without_box"]["landline"]
