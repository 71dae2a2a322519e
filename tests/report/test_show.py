"""What is shown is what would be run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.detectors.registry import detector_names
from testbed.errors import CaptureError, ScenarioError
from testbed.report.show import inspection_lines, show
from testbed.scenario import library
from tests.records.build import SUBSCRIBER, frame, write_capture

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
    assert evidence["meter.token_bucket.rate_bps"]["value"] == 140_000
    assert evidence["meter.token_bucket.rate_bps"]["grade"]


def test_an_unknown_name_is_refused_with_every_name_that_there_is() -> None:
    with pytest.raises(
        ScenarioError, match=r"nothing is called 'nosuch'; there are: .*2021-03-10, .*russia2021, .*ru-tw"
    ):
        show("nosuch")


def inspected(path: Path, *, as_json: bool, told: list[str] | None = None) -> list[str]:
    tell = (told if told is not None else []).append
    inside = [f"{SUBSCRIBER}/32"]
    return list(inspection_lines(path, "ru-tw-2021a", seed=1, inside=inside, as_json=as_json, tell=tell))


@pytest.mark.parametrize("as_json", [False, True])
def test_an_inspection_tells_what_it_left_out(tmp_path: Path, as_json: bool) -> None:  # noqa: FBT001
    path = write_capture(tmp_path / "a.pcapng", [frame(1, 0, down=False, seq=0, ip_id=1)])
    damaged = path.read_bytes()
    path.write_bytes(damaged + damaged[damaged.index(b"\x06\0\0\0") :].replace(b"\x08\x00", b"\x08\x06", 1))
    told: list[str] = []
    lines = inspected(path, as_json=as_json, told=told)
    assert told == ["1 records left out: not IP"]
    if as_json:
        assert json.loads(lines[-1])["notes"] == told


def test_an_inspection_ends_with_a_count(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcapng", [frame(1, 0, down=False, seq=0, ip_id=1)])
    assert inspected(path, as_json=False)[-1] == "1 packets, 0 dropped"


def test_an_inspection_as_json_is_events_alone(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcapng", [frame(1, 0, down=False, seq=0, ip_id=1)])
    assert all({"frame", "event", "t"} <= set(json.loads(line)) for line in inspected(path, as_json=True))


def test_a_capture_that_is_cut_gives_its_lines_and_then_the_offset(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcapng", [frame(1, 0, down=False, seq=0, ip_id=1)])
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CaptureError, match="byte"):
        inspected(path, as_json=False)
