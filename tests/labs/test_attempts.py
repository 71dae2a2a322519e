"""What students try is run against the hidden condition, and they get what the client saw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError
from testbed.labs.attempts import attempt_evasion, attempt_probe, attempt_table, keep_attempt
from testbed.labs.catalogue import find_lab
from testbed.labs.lot import student_picks, truth_of
from testbed.labs.making import scenario_of
from testbed.labs.tried import read_tries

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel.cache import KernelInfo
    from testbed.labs.lab import LabFile
    from testbed.labs.tried import Attempt
    from tests.conftest import Runner

SEED = 3


def probed(lab: LabFile, probe: str, sni: str = "twitter.com", names: Path | None = None) -> Attempt:
    return attempt_probe(lab, SEED, "A", probe, lambda _: None, sni=sni, names=names, options=[])


def test_in_lab_4_the_probes_show_what_is_asked_for_and_conclude_nothing(kernel: KernelInfo) -> None:
    assert kernel.path is not None
    lab = find_lab("4")
    [pick] = student_picks(lab, SEED)
    answers = truth_of(lab, pick).answers
    found = probed(lab, "ttl")
    first = next(int(str(each["ttl"])) for each in found["seen"] if each["held_back"])
    assert first - 1 == int(str(answers["after-hop"]))
    assert {*found["seen"][0]} == {"ttl", "router", "held_back"}
    assert "box" not in attempt_table(found)
    cases = probed(lab, "symmetry")["seen"]
    from_outside = any(each["held_back"] for each in cases if each["opened_from"] == "outside")
    assert from_outside == (answers["from-outside"] == "yes")
    tried = probed(lab, "timeout")["seen"]
    longest = max(float(str(each["idle_s"])) for each in tried if each["held_back"])
    assert longest / 60 == pytest.approx(float(str(answers["remembers"])), rel=0.05)


@pytest.mark.parametrize("condition", sorted(find_lab("5").lab.conditions))
def test_in_lab_5_each_way_does_what_the_lab_says(condition: str, run_scenario: Runner) -> None:
    lab = find_lab("5")
    answers = lab.lab.conditions[condition].answers
    ways = lab.lab.questions["passes"].choices
    settings = truth_of(
        lab, next(pick for seed in range(1, 99) for pick in student_picks(lab, seed) if pick.condition == condition)
    ).settings
    measurements = [{"evade": name, "role": "target", "sni": "twitter.com"} for name in ways]
    run = run_scenario(
        *settings,
        "recordings=[]",
        f"measurements={json.dumps(measurements)}",
        scenario=str(scenario_of(lab, condition)),
    )
    caught = {each["name"] for each in run.manifest["transfers"] if each["throttled"]}
    assert (caught, {*ways} - caught) == ({*answers["is-caught"]}, {*answers["passes"]})  # type: ignore[misc]


def test_a_try_is_kept_beside_a_control_and_without_truth(kernel: KernelInfo, tmp_path: Path) -> None:
    assert kernel.path is not None
    lab = find_lab("5")
    found = attempt_evasion(lab, SEED, "A", "trailing-dot", lambda _: None, sni="twitter.com")
    target, control = found["seen"]
    assert (target["role"], control["role"]) == ("target", "control")
    assert float(str(target["goodput_bps"])) > float(str(control["goodput_bps"])) / 2
    assert not {"throttled", "rule", "drops", "action", "hello", "influences"} & {*target}
    assert "trailing-dot" in attempt_table(found)
    path = keep_attempt(tmp_path, found)
    assert keep_attempt(tmp_path, found) != path
    assert read_tries(tmp_path, lab.name) == {"A": {"trailing-dot"}}


def test_what_a_lab_does_not_offer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="probe ttl: no try of 5-get-around-it; there are: evade"):
        probed(find_lab("5"), "ttl")
    with pytest.raises(InputError, match="there are: none; everything that it needs is in the folder"):
        probed(find_lab("1"), "ttl")
    with pytest.raises(InputError, match="no such evasion; there are: plain"):
        attempt_evasion(find_lab("5"), SEED, "A", "magic", lambda _: None, sni="twitter.com")
    with pytest.raises(InputError, match="no such case; there are: A"):
        attempt_evasion(find_lab("5"), SEED, "B", "plain", lambda _: None, sni="twitter.com")
    (tmp_path / "tries").write_text("")
    with pytest.raises(InputError, match="cannot write to"):
        keep_attempt(tmp_path, {"format": 1, "lab": "", "case": "", "what": "", "name": "", "seen": []})
