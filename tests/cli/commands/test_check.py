"""`check`: a line for each file that is right, all errors of one that is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.program import status

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_each_file_that_is_right_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("check", "ru-tw-2021a", "2021-03-10", "russia2021") == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert [line.split(":")[1].split()[0] for line in told.out.splitlines()] == ["profile", "scenario", "topology"]


def test_all_errors_of_a_file_are_told_and_the_others_are_checked_all_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    profile, scenario = tmp_path / "censor.yaml", tmp_path / "scenario.yaml"
    profile.write_text("based_on: ru-tw-2021a\ngrade: assumption\nflows: {table_size: 0}\nmeter: {kind: leaky}\n")
    scenario.write_text("format: 1\ntitle: x\nseed: 0\n")
    assert status("check", str(profile), str(scenario), "kz-2022") == 2
    told = capsys.readouterr()
    assert told.out.startswith("kz-2022: profile kz-2022: family kz-2022; ")
    assert f"testbed: {profile}:3: flows.table_size: expected a whole number" in told.err
    assert f"\n{profile}:4: meter.kind: expected 'byte_quota'" in told.err
    assert f"{scenario}:3: seed: expected greater than or equal to 1, got 0" in told.err


def test_a_scenarios_own_profile_is_checked_with_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    (tmp_path / "censor.yaml").write_text("based_on: ru-tw-2021a\ntypo: 1\n")
    assert status("check", "2021-03-10") == 0
    scenario.write_text(
        "format: 1\ntitle: x\nabout: y\ndate: 2021-03-10T09:00Z\nnetwork: {topology: russia2021}\n"
        "lines: [{name: mobile, kind: mobile, tspu: true}]\ncensors: {tspu: censor.yaml}\n"
        "origins: {origin: {serves: [twitter.com]}}\nmeasurements: [{fetch: twitter.com, role: target}]\n"
    )
    assert status("check", str(scenario)) == 2
    assert "censor.yaml:2: typo: " in capsys.readouterr().err


def test_as_json_each_file_has_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("check", "ru-tw-2021a", "nosuch", "--json") == 2
    right, wrong = json.loads(capsys.readouterr().out)
    assert (right["ok"], right["kind"], right["problems"]) == (True, "profile", [])
    assert (wrong["ok"], len(wrong["problems"])) == (False, 1)


def test_suites_are_checked_condition_by_condition(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert status("check", "smoke") == 0
    assert capsys.readouterr().out.startswith("smoke: suite smoke: conditions: ")
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "format: 1\ntitle: t\nabout: a\n"
        "development:\n  one: {scenario: throttling/policed, draws: 1, settings: {measurements.0.sise: 60 kB}}\n"
        "held_out:\n  two: {scenario: confounders/clean, draws: 1, settings: {lines.0.down: '5'}}\n"
        "  three: {scenario: confounders/clean, draws: 1}\n"
    )
    assert status("check", str(suite)) == 2
    told = capsys.readouterr().err
    assert f"{suite}: one: --set measurements.0.sise=60 kB: measurements.0.sise: unknown key" in told
    assert f"{suite}: two: --set lines.0.down=5: lines.0.down: expected a rate" in told
    assert "three" not in told
    suite.write_text(suite.read_text().replace("confounders/clean", "confounders/cleen"))
    assert status("check", str(suite)) == 2
    assert "no scenario 'confounders/cleen'; did you mean confounders/clean? (" in capsys.readouterr().err
