"""What is shown is what would be run."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from testbed.detectors.registry import detector_names
from testbed.errors import ScenarioError
from testbed.report.show import show
from testbed.scenario import library

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("scenarios", "topologies", "profiles")


PACKAGED = [each for kind in KINDS for each in library.names(kind)]


@pytest.mark.parametrize("name", [*PACKAGED, *detector_names()])
def test_everything_packaged_can_be_shown_as_text_and_as_json(name: str) -> None:
    assert show(name).strip()
    assert isinstance(json.loads(show(name, as_json=True)), dict)


def test_a_scenario_shows_its_boxes_and_when_a_transfer_waits() -> None:
    text = show("2021-03-10")
    assert "\nmobile-tspu: ru-tw-2021a (" in text
    assert any(line.endswith("290 s") and "kremlin.ru" in line for line in text.splitlines())


def test_a_topology_shows_every_parameter_with_its_default() -> None:
    parameters = {
        each["parameter"]: each["default"] for each in json.loads(show("russia2021", as_json=True))["parameters"]
    }
    assert parameters["hops"] == 7
    assert parameters["mobile_down"] == "20 Mbit/s"


def test_a_profile_shows_each_value_with_grade_and_source() -> None:
    evidence = {each["key"]: each for each in json.loads(show("ru-tw-2021a", as_json=True))["evidence"]}
    assert evidence["meter.token_bucket.rate"]["value"] == "140 kbit/s"
    assert evidence["meter.token_bucket.rate"]["grade"]


def test_an_unknown_name_is_refused_with_every_name_that_there_is() -> None:
    with pytest.raises(
        ScenarioError, match=r"nothing is called 'nosuch'; there are: .*history/….*, .*russia2021, .*ru-tw"
    ):
        show("nosuch")


def test_a_profile_is_shown_by_path_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("based_on: ru-tw-2021a\ngrade: assumption\nsummary: my own\nflows: {table_size: 7}\n")
    text = show(str(path))
    assert text.startswith("mine: my own\n")
    assert re.search(r"flows\.table_size +7 +assumption", text)


def test_a_family_is_shown_with_its_members_and_what_a_date_selects() -> None:
    text = show("ru-tw-2021")
    assert [line.split()[0] for line in text.splitlines()[4:]] == [f"ru-tw-2021{letter}" for letter in "abcd"]
    april = datetime(2021, 4, 2, tzinfo=UTC)
    assert show("ru-tw-2021", date=april).endswith("at 2021-04-02T00:00:00+00:00: ru-tw-2021c")
    assert json.loads(show("ru-tw-2021", date=april, as_json=True))["selected"] == "ru-tw-2021c"
    assert show("ru-tw-2021", date=datetime(2020, 1, 1, tzinfo=UTC)).endswith(": none of them")


def test_a_date_is_for_families() -> None:
    with pytest.raises(ScenarioError, match="--date: 'joint' is no family of profiles"):
        show("joint", date=datetime(2021, 4, 2, tzinfo=UTC))
