"""The command ``validate``: on a small suite of real runs, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.program import status

ROOT = Path(__file__).resolve().parents[3]
SMALL = "settings: {measurements.0.size: 60 kB, measurements.0.repeat: '1'}"
SUITE = f"""\
format: 1
title: Small
about: Two conditions.
development:
  policed: {{scenario: throttling/policed, draws: 1, {SMALL}}}
held_out:
  clean: {{scenario: confounders/clean, draws: 1, {SMALL}}}
"""


def validate(folder: Path, *options: str, text: str = SUITE) -> int:
    suite = folder / "small.yaml"
    suite.write_text(text)
    common = ["--store", str(folder / "store"), "--held-out-seed", "x", "--detector", "ooni"]
    return status("validate", str(suite), *common, *options)


@pytest.mark.usefixtures("kernel")
def test_a_suite_is_run_once_and_scored_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert validate(tmp_path) == 0
    first = capsys.readouterr()
    assert "2 runs in this suite, 0 of them there already" in first.err
    assert "2 of 2 runs scored, 0 invalid, 0 missing; 2 different observations." in first.out
    assert first.out.index("Held out") < first.out.index("Development")
    assert validate(tmp_path, "-o", str(tmp_path / "scores.md")) == 0
    assert "2 of them there already" in capsys.readouterr().err
    assert (tmp_path / "scores.md").read_text() == first.out

    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "page.md"))
    assert validate(tmp_path, "--junit", str(tmp_path / "scores.xml"), "-o", str(tmp_path / "scores.md")) == 0
    capsys.readouterr()
    assert (tmp_path / "page.md").read_text() == first.out
    cases = ET.parse(tmp_path / "scores.xml").findall("testsuite[@name='ooni']/testcase")
    assert {case.attrib["name"] for case in cases} == {"policed/1", "clean/1"}

    assert validate(tmp_path, "--json") == 0
    judged = json.loads(capsys.readouterr().out)
    assert {(each["cell"], each["label"]) for each in judged} == {
        ("policed/1", "throttled"),
        ("clean/1", "not throttled"),
    }

    assert validate(tmp_path, "--plan") == 0
    planned = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["cell"], each["part"], each["made"]) for each in planned] == [
        ("clean/1", "held_out", True), ("policed/1", "development", True),
    ]  # fmt: skip

    assert validate(tmp_path, "--explain", "policed/1") == 0
    explained = capsys.readouterr().out
    assert "again: testbed run throttling/policed" in explained
    assert "censor: token_bucket at line-tspu" in explained

    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho garbage\n")
    broken.chmod(0o700)
    assert validate(tmp_path, "--detector", f"exec:{broken}") == 1
    assert f"exec:{broken} failed, which counts as inconclusive; lines: 2;" in capsys.readouterr().err
    assert validate(tmp_path, "--detector", f"exec:{broken}", "--explain", "policed/1") == 1
    assert f"exec:{broken} failed, which counts as inconclusive; lines: 1;" in capsys.readouterr().err

    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\necho measured $1\n")
    silent.chmod(0o755)
    checker = f"run:{silent} {{target}}"
    assert validate(tmp_path, "--detector", checker) == 1
    assert f"{checker} failed, which counts as inconclusive; lines: 2;" in capsys.readouterr().err
    assert validate(tmp_path, "--detector", checker, "--explain", "policed/1") == 1
    explained = capsys.readouterr().out
    assert "printed no line with a verdict as JSON, and ended with status 0: measured twitter.com" in explained
    assert f"{checker} on line, again: testbed run throttling/policed " in explained
    assert f"--seed 1 --line line -- {silent} twitter.com" in explained

    for verdict in (tmp_path / "store" / "verdicts").iterdir():
        verdict.write_text("[" * 100_000)
    assert validate(tmp_path) == 0
    again = capsys.readouterr()
    assert (again.out, again.err.count("the detector is asked again")) == (first.out, 2)

    for cell in (tmp_path / "store" / "cells").iterdir():
        (cell / "cell.json").write_text('{"format": 1}')
    assert validate(tmp_path) == 0
    again = capsys.readouterr()
    assert (again.out, again.err.count("cell.json is damaged")) == (first.out, 2)


@pytest.mark.usefixtures("kernel")
def test_a_suite_of_one_label_is_not_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = SUITE.replace("throttling/policed", "confounders/clean")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "page.md"))
    assert validate(tmp_path, "--junit", str(tmp_path / "scores.xml"), text=one) == 4
    assert "nothing can be scored: no line of 2 valid runs is throttled" in capsys.readouterr().err
    assert "nothing can be scored" in (tmp_path / "page.md").read_text()
    assert ET.parse(tmp_path / "scores.xml").getroot().attrib["tests"] == "2"


@pytest.mark.usefixtures("pretended_kernel")
@pytest.mark.parametrize(
    ("options", "text", "problem"),
    [
        (["--cell", "policed/2"], SUITE, "no cell 'policed/2' in this suite; --plan lists them"),
        (["--count", "frozen=maybe"], SUITE, "--count frozen=maybe"),
        (["--detector", "run:./no-such-tool {target}"], SUITE, "the program './no-such-tool' was not found"),
        ([], SUITE.replace("draws: 1", "draws: none"), "small.yaml:5: development.policed.draws"),
        ([], SUITE.replace("throttling/policed", "throttling/plain"), "policed.scenario: no scen"),
    ],
)
def test_what_cannot_be_validated_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], text: str, problem: str
) -> None:
    assert validate(tmp_path, *options, text=text) == 2
    assert problem in capsys.readouterr().err


RULE = """\
#!/usr/bin/env python3
import json, sys
speeds = {}
for each in json.load(sys.stdin)["transfers"]:
    speeds.setdefault(each["role"], []).append(each["bytes"][-1] / each["times_s"][-1])
slow = min(speeds["target"]) * FACTOR < max(speeds["control"])
print(json.dumps({"outcome": "throttled" if slow else "not throttled", "why": "by its speed"}))
"""


@pytest.mark.usefixtures("kernel")
def test_a_detector_that_got_worse_is_named_and_fails_the_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule, kept, gates = tmp_path / "rule", tmp_path / "baseline.json", tmp_path / "gates.toml"
    gates.write_text("[tool.testbed.gates]\nmost-worse = 0\n")
    rule.write_text(RULE.replace("FACTOR", "2"))
    rule.chmod(0o700)
    by_rule = ("--detector", f"exec:{rule}")
    assert validate(tmp_path, *by_rule, "--write-baseline", str(kept)) == 0
    assert validate(tmp_path, *by_rule, "--baseline", str(kept), "--gates", str(gates)) == 0
    assert "2 detectors say the same of every line" in capsys.readouterr().out

    rule.write_text(RULE.replace("FACTOR", "2000"))  # which nothing is slower than
    assert validate(tmp_path, *by_rule, "--baseline", str(kept), "--gates", str(gates)) == 1
    said = capsys.readouterr()
    assert f"gate not passed: exec:{rule}: at most 0 lines worse" in said.err
    assert "| worse | policed/1 |" in said.out
    assert "2 of them there already" in said.err

    # By default one line is what chance may do: it is told, and is no regression.
    assert validate(tmp_path, *by_rule, "--baseline", str(kept)) == 0
    assert f"advice not passed: exec:{rule}" in capsys.readouterr().err

    # Another way of counting is no regression either, but nothing was compared.
    assert validate(tmp_path, *by_rule, "--baseline", str(kept), "--count", "frozen=throttled") == 4
    assert "another method (labels changed)" in capsys.readouterr().err

    gates.write_text(
        '[[tool.testbed.gates.bounds]]\ndetector = "ooni"\n'
        'part = "development"\nmeasure = "false alarms"\nat-most = 0.5\n'
    )
    assert validate(tmp_path, "--gates", str(gates), "--junit", str(tmp_path / "scores.xml")) == 4
    [gate] = ET.parse(tmp_path / "scores.xml").findall("testsuite[@name='gates']/testcase")
    assert [each.tag for each in gate] == ["error"]
    assert "nothing to look at" in capsys.readouterr().err


@pytest.mark.usefixtures("kernel")
def test_twins_frontiers_and_what_the_testbed_found_at_a_commit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        SUITE.replace("policed, draws: 1", "policed, draws: 1, twins: 1")
        + """\
frontiers:
  limit:
    scenario: throttling/policed
    settings: {measurements.0.size: 60 kB, measurements.0.repeat: '1'}
    axis: lines.0.down
    from: 100
    to: 10000
    unit: kbit/s
    scale: logarithmic
    draws: 1
    steps: 1
"""
    )
    assert validate(tmp_path, "--frontier", text=text) == 0
    said = capsys.readouterr()
    assert "3 runs in this suite" in said.err
    assert "| `ooni` | 0 | 0 | 0 | 1 | 1 |" in said.out  # 60 kB are too few for it
    assert "## Frontier: limit: lines.0.down" in said.out
    assert "Find nothing at any value (100, 1e+04): `ooni`." in said.out or "100: 1 of 1" in said.out

    alone = text[: text.index("development:")] + text[text.index("frontiers:") :]
    assert validate(tmp_path, text=alone) == 2
    assert "frontiers alone" in capsys.readouterr().err
    assert validate(tmp_path, "--frontier", text=alone) == 0
    assert "## Frontier: limit: lines.0.down" in capsys.readouterr().out

    if not (ROOT / ".git").exists():
        pytest.skip("not checked against a commit: these files are no git clone; make one to check it")
    assert validate(tmp_path, "--baseline", "HEAD", text=text) == 0
