"""What is shown is what would be run."""

from __future__ import annotations

import json

import pytest

from testbed.detectors.registry import detector_names
from testbed.errors import ScenarioError
from testbed.report.show import show
from testbed.scenario import library

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
        ScenarioError, match=r"nothing is called 'nosuch'; there are: .*2021-03-10, .*russia2021, .*ru-tw"
    ):
        show("nosuch")
