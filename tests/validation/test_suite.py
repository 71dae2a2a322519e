"""Suites: what is read, and what is refused with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.errors import ScenarioError
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from testbed.validation.suite import find_suite, load_suite, suite_names

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "format: 1\ntitle: t\nabout: a\n"
ONE = "{scenario: pairs, draws: 2}"


def written(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_held_out_conditions_come_first(tmp_path: Path) -> None:
    suite = load_suite(written(tmp_path, f"development: {{a: {ONE}}}\nheld_out: {{b: {ONE}}}\n"))
    assert [(part, name) for part, name, _ in suite.conditions()] == [("held_out", "b"), ("development", "a")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no conditions"),
        ("held_out: {}\n", "no conditions"),
        (f"development: {{a: {ONE}}}\nheld_out: {{a: {ONE}}}\n", "suite.yaml:4: development.a: this condition is held"),
        ("held_out:\n  a: {scenario: pairs}\n", "suite.yaml:5: held_out.a.draws: this key is missing"),
        ("held_out:\n  a: {scenario: pairs, draws: 0}\n", "suite.yaml:5: held_out.a.draws"),
        ("held_out:\n  a: {scenario: pairs, draws: 2.5}\n", "suite.yaml:5: held_out.a.draws"),
        ("held_out:\n  a: {scenario: pairs, draws: 1, seed: 4}\n", "unknown key"),
        (f"heldout: {{a: {ONE}}}\n", "unknown key"),
        ("held_out:\n  a: {scenario: nowhere, draws: 1}\n", "suite.yaml:5: held_out.a.scenario: no scenario 'nowhere'"),
        ("held_out:\n  a: {scenario: b/c.yaml, draws: 1}\n", "suite.yaml:5: held_out.a.scenario: scenario 'b/c.yaml'"),
        (
            "held_out:\n  a:\n    scenario: pairs\n    draws: 1\n    settings: {\n      seed: '4'}\n",
            "suite.yaml:9: held_out.a.settings.seed: each draw of a condition has a seed of its own",
        ),
        *(
            (f"held_out:\n  {name}: {ONE}\n", "suite.yaml:5: held_out.")
            for name in ("A", "a_b", "a/b", "'a b'", "'-a'", "a-", "''", "ä", "'a\\n'", '"a\\n"', "a--b", "'٣'")
        ),
    ],
)
def test_what_is_no_suite_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as error:
        load_suite(written(tmp_path, text))
    assert problem in str(error.value)


def test_a_scenario_is_sought_beside_the_suite_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "suites"
    for place in (elsewhere, folder):
        place.mkdir()
        (place / "mine.yaml").write_text("")
    (elsewhere / "other.yaml").write_text("")
    monkeypatch.chdir(elsewhere)
    conditions = "held_out: {a: {scenario: mine.yaml, draws: 1}, b: {scenario: other.yaml, draws: 1}}\n"
    suite = load_suite(written(folder, conditions))
    assert [suite.held_out[each].scenario for each in "ab"] == [str(folder / "mine.yaml"), "other.yaml"]


def test_a_suite_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ScenarioError, match=r"(?i)there are: core, full, smoke"):
        find_suite("cor")


@pytest.mark.parametrize("name", suite_names())
def test_packaged_suites_have_both_labels_in_scenarios_that_exist(name: str) -> None:
    suite = load_suite(find_suite(name))
    for part in (suite.development, suite.held_out):
        rooms = {library.find("scenarios", each.scenario).parent.name for each in part.values()}
        assert rooms == {"throttling", "confounders"}


# Where a box stands, and does not throttle.
BOTH_KINDS = {"confounders/pairs", "confounders/unrecognised-target"}


def scenarios_of_conditions() -> list[str]:
    folders = ("throttling/", "confounders/")
    return [name for name in library.names("scenarios") if name.startswith(folders)]


@pytest.mark.parametrize("name", scenarios_of_conditions())
def test_every_condition_can_be_drawn_and_is_throttled_by_a_box_or_has_none(name: str) -> None:
    for seed in range(1, 6):
        plan = make_plan(library.find("scenarios", name), [], seed=seed, engine="virtual", command=None)
        # The grid of a benchmark has both kinds of lines; a box that its censor left out would act on nothing.
        assert name in BOTH_KINDS or bool(plan.data["boxes"]) == name.startswith("throttling/")
        assert plan.data["without_box"] == {}
        assert {"target", "control"} <= {each["role"] for each in plan.transfers}


def test_every_scenario_of_a_condition_is_in_the_full_suite() -> None:
    used = {condition.scenario for _, _, condition in load_suite(find_suite("full")).conditions()}
    assert used == set(scenarios_of_conditions())


def test_the_full_suite_has_the_conditions_of_core_in_the_same_parts() -> None:
    core, full = (load_suite(find_suite(name)) for name in ("core", "full"))
    assert core.development.keys() <= full.development.keys()
    assert core.held_out.keys() <= full.held_out.keys()
    draws = sum(condition.draws for _, _, condition in core.conditions())
    assert draws >= 300


def test_every_place_of_every_packaged_frontier_can_be_drawn() -> None:
    frontiers = load_suite(find_suite("full")).frontiers
    assert len(frontiers) >= 9
    for frontier in frontiers.values():
        places = 2**frontier.steps
        for place in range(places + 1):
            settings = [f"{frontier.axis}={frontier.written(frontier.value(place / places))}"]
            scenario = library.find("scenarios", frontier.scenario)
            plan = make_plan(scenario, settings, seed=1, engine="virtual", command=None)
            assert plan.data["boxes"]
