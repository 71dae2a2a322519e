"""Recordings made in a guest: what the labs say of their conditions is so."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from testbed.detectors.sources.observation_json import observation_from_json
from testbed.errors import RecordError, ScenarioError
from testbed.labs.catalogue import find_lab, lab_names
from testbed.labs.contest import contest
from testbed.labs.lot import Pick, truth_of
from testbed.labs.making import Made, scenario_of
from testbed.labs.recording import OBSERVATION
from tests.labs.made import LAB, made_lab

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.detectors.observation import Observation
    from testbed.engine.kernel.cache import KernelInfo
    from testbed.labs.recording import Recording

RECORDED = [name for name in lab_names() if find_lab(name).lab.needs == "recordings"]


@pytest.fixture(scope="module")
def made(kernel: KernelInfo, tmp_path_factory: pytest.TempPathFactory) -> Made:
    assert kernel.path is not None
    return Made(lambda _: None, tmp_path_factory.mktemp("store"))


def observed(recording: Recording) -> Observation:
    return observation_from_json(recording["line.observation.json"])


def rates(observation: Observation) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for each in observation.transfers:
        found.setdefault(each.role.value, []).append(each.goodput_bps or 0.0)
    return found


@pytest.mark.parametrize("name", RECORDED)
def test_every_condition_of_a_lab_can_be_recorded_and_is_what_the_lab_says(name: str, made: Made) -> None:
    lab = find_lab(name)
    for condition in lab.lab.conditions:
        recording = made.get(lab, Pick("", condition, 1))
        kinds = {name.partition("." if OBSERVATION in name else "-")[2] for name in recording}
        assert kinds == {OBSERVATION.removeprefix("."), "client.pcapng"}
        assert b"tspu" not in b"".join(recording.values())


def test_in_lab_1_the_table_tells_whether_the_target_alone_is_slow(made: Made) -> None:
    lab = find_lab("1")
    for condition in lab.lab.conditions:
        for variant in range(1, lab.lab.variants + 1):
            pick = Pick("", condition, variant)
            found = rates(observed(made.get(lab, pick)))
            is_alone = sum(found["target"]) < sum(found["control"]) / 2
            assert is_alone == (truth_of(lab, pick).answers["target-alone"] == "yes"), (condition, variant, found)


def test_in_lab_2_the_names_that_are_slow_are_those_that_the_lab_says(made: Made) -> None:
    lab = find_lab("2")
    for condition in lab.lab.conditions:
        pick = Pick("", condition, 1)
        transfers = observed(made.get(lab, pick)).transfers
        control = next(each.goodput_bps or 0.0 for each in transfers if each.server_name == "example.com")
        slow = {each.server_name for each in transfers if (each.goodput_bps or 0.0) < control / 2}
        assert slow == {*json.loads(json.dumps(truth_of(lab, pick).answers["slowed"]))}, condition


def test_in_lab_3_the_rate_is_found_behind_the_beginning(made: Made) -> None:
    lab = find_lab("3")
    for condition in lab.lab.conditions:
        pick = Pick("", condition, 1)
        target = next(each for each in observed(made.get(lab, pick)).transfers if each.role == "target")
        # As the sheet has it: two points of the curve, here at a third and at nine tenths of the bytes.
        low, high = (
            next(nth for nth, n in enumerate(target.bytes) if n >= part * target.total_bytes) for part in (0.33, 0.9)
        )
        bits = 8 * float(target.bytes[high] - target.bytes[low])
        rate_kbps = bits / float(target.times_s[high] - target.times_s[low]) / 1000
        assert rate_kbps == pytest.approx(float(str(truth_of(lab, pick).answers["rate"])), rel=0.2), condition


def test_a_recording_is_kept_and_made_once(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = find_lab("6")
    pick = Pick("", "clean", 1)
    first = made.get(lab, pick)
    monkeypatch.setattr("testbed.labs.making.run_cell", None)
    assert made.get(lab, pick) == first


def test_a_lab_that_its_run_contradicts_is_refused(made: Made, tmp_path: Path) -> None:
    text = LAB.replace(', size: "{rate} kB"', "").replace('rate: "{rate}"', "rate: 100")
    lab = made_lab(tmp_path / "lab", text.replace("label: throttled", "label: not throttled"))
    with pytest.raises(RecordError, match="the lab says not throttled, its run says throttled; mend the lab"):
        made.get(lab, Pick("", "slow", 1))


def test_a_scenario_lies_beside_the_lab_or_is_packaged(tmp_path: Path) -> None:
    lab = made_lab(tmp_path / "lab")
    assert scenario_of(lab, "slow").name == "two-phones.yaml"
    (lab.folder / "own.yaml").write_text("")
    own = made_lab(tmp_path / "lab", LAB.replace("about: The box.", "about: The box.\n    scenario: own.yaml"))
    assert scenario_of(own, "slow") == lab.folder / "own.yaml"
    with pytest.raises(ScenarioError):
        scenario_of(made_lab(tmp_path / "lab", LAB.replace("classroom/two-phones", "lost")), "slow")


def test_in_lab_6_the_teachers_solution_earns_all_points_and_what_students_begin_with_does_not(
    made: Made, tmp_path: Path
) -> None:
    lab = find_lab("6")
    (solution,) = re.findall(r"```python\n(.*?)```", lab.sheet("teacher.md"), re.DOTALL)
    (tmp_path / "solution.py").write_text(solution)
    (tmp_path / "detector.py").write_bytes(lab.given()["detector.py"])
    question = lab.lab.questions["detector"]
    worth, says = contest(lab, 5, tmp_path, "solution.py", question=question, recordings=made)
    assert worth == 1.0, says
    worth, says = contest(lab, 5, tmp_path, "detector.py", question=question, recordings=made)
    assert 0.0 < worth < 1.0, says
