"""Checkers in the emulated network: ours finds what is there, and one that misbehaves costs its own verdict."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from testbed.validation.checkers import trial
from testbed.validation.checkers.trial import can_be_tried, checker_key, checker_verdict, command_again, is_judged_by
from testbed.validation.judging import judgements
from testbed.validation.keeping.store import Store
from tests.records.build import transfer
from tests.validation.cells import FREE, kept

if TYPE_CHECKING:
    from testbed.engine.kernel import KernelInfo

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "checker" / "speedcheck"
TRANSFERS = [
    transfer(id="line/1", line="line", role="target", sni="twitter.com"),
    transfer(id="line/2", line="line", role="control", sni="example.com", **FREE),
]


def cell(store: Store, key: str, scenario: str = "throttling/policed") -> Any:
    settings = ["measurements.0.size=100 kB", "measurements.0.repeat=1"] if scenario.startswith("throttling") else []
    return kept(store, key, scenario=scenario, settings=settings, transfers=TRANSFERS).record


def said(store: Store, name: str, scenario: str = "throttling/policed") -> Any:
    return checker_verdict(store, "k", cell(store, "k", scenario), "line", name)


@pytest.mark.usefixtures("kernel")
def test_the_example_finds_a_policer_by_its_own_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    name = f"run:{EXAMPLE}.py --json {{target_url}} {{control_url}}"
    record = cell(store, "k")
    assert not is_judged_by(store, "k", record, [name, "joint"])
    [found] = judgements(store, "k", record, [name])
    assert (found.verdict["outcome"], "failed" in found.verdict) == ("throttled", False)
    assert "(2 of its 4 flows were throttled)" in found.verdict["why"]
    own = store.cell(trial.checker_key("k", "line", name))
    assert own is not None
    assert [(each["sni"], each["throttled"]) for each in own["transfers"]] == [
        ("twitter.com", True), ("twitter.com", True), ("example.com", False), ("example.com", False),
    ]  # fmt: skip
    assert own["replay"].endswith(f"{EXAMPLE}.py --json https://twitter.com/100000.bin https://example.com/100000.bin")
    assert is_judged_by(store, "k", record, [name, "joint"])
    monkeypatch.setattr(trial, "run_plan", None)  # it would fail to be called
    assert checker_verdict(store, "k", record, "line", name) == found.verdict


@pytest.mark.usefixtures("kernel")
def test_a_reason_without_end_is_cut(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(
        "import json\nprint(json.dumps({'outcome': 'throttled', 'why': 'x' * 1_000_000}))\n"
    )
    found = said(Store(tmp_path / "store"), f"run:{sys.executable} {tmp_path}/tool.py")
    assert (found["outcome"], len(found["why"]) < 1100) == ("throttled", True)
    assert found["why"].endswith("x (0 of its 0 flows were throttled)")


BAD: dict[str, tuple[str, str]] = {
    "raises": ("raise RuntimeError('boom')", "ended with status 1: .*boom"),
    "prints garbage": (r"import os; os.write(1, b'\xff\x00{\"outcome\"')", "printed no line with a verdict"),
    "prints a gigabyte": ("import os\nwhile True: os.write(1, b'x' * 65536)", "it printed more than 16777216 bytes"),
    "says a gigabyte on stderr": ("import os\nwhile True: os.write(2, b'x' * 65536)", "it printed more than 16777216"),
    "answers out of range": ('print(\'{"outcome": "throttled", "why": "x", "rate_bps": -3}\')', "rate_bps is -3"),
    "dies": ("import os; os.kill(os.getpid(), 9)", "ended with status 137"),
    "sleeps for a day": (
        'import time; time.sleep(86400); print(\'{"outcome": "throttled", "why": "x"}\')',
        "it took 864.. s of emulated time, more than 600 s",
    ),
}


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("kind", BAD)
def test_a_checker_that_misbehaves_is_an_error_by_name(tmp_path: Path, kind: str) -> None:
    program, problem = BAD[kind]
    (tmp_path / "tool.py").write_text(program)
    name = f"run:{sys.executable} {tmp_path}/tool.py {{target}}"
    store = Store(tmp_path / "store")
    found = said(store, name)
    assert (found["outcome"], found["detector"]) == ("inconclusive", name)
    assert re.search(problem, found["failed"], re.DOTALL), found["failed"]
    assert list((store.path / "work").iterdir()) == []
    again = command_again(store, "k", "line", name)
    assert again is not None
    assert again.endswith(f"--line line -- {sys.executable} {tmp_path}/tool.py twitter.com")


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("program", ["while True: pass", "import time\nwhile True: time.sleep(1)"])
def test_a_checker_that_never_ends_is_ended(tmp_path: Path, program: str) -> None:
    (tmp_path / "tool.py").write_text(program)
    (tmp_path / "tool.yaml").write_text(f"format: 1\ncommand: {sys.executable} {tmp_path}/tool.py\nwall_time: 6 s\n")
    found = said(Store(tmp_path / "store"), f"run:{tmp_path}/tool.yaml")
    assert "the guest said nothing for 6 s" in found["failed"] or "still running after 6 s" in found["failed"]


@pytest.mark.usefixtures("kernel")
def test_a_checker_does_not_see_the_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store lies in the folder that the program is started in, which it sees otherwise."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tool.py").write_text(
        "import glob\n"
        "found = [path for path in glob.glob('**', recursive=True) if 'cell' in path or 'manifest' in path]\n"
        'print(\'{"outcome": "inconclusive", "why": "%s %s"}\' % (sorted(glob.glob("*")), found))\n'
    )
    store = Store(tmp_path / "store")
    assert said(store, f"run:{sys.executable} tool.py")["why"].startswith("['store', 'tool.py'] []")


def test_background_that_needs_the_scenarios_own_measurements_is_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path)
    busy, free = cell(store, "a", "confounders/busy-border"), cell(store, "b")
    assert [can_be_tried(each) for each in (busy, free)] == [False, True]
    name = f"run:{EXAMPLE}.py"
    assert list(judgements(store, "a", busy, [name])) == []
    assert is_judged_by(store, "a", busy, [name])


@pytest.mark.parametrize("changes", [{"direction": "upload"}, {"protocol": "http/3"}])
def test_a_label_of_uploads_or_quic_is_none_of_a_checker_of_downloads(tmp_path: Path, changes: dict[str, str]) -> None:
    store = Store(tmp_path)
    record = kept(store, "k", transfers=[each | changes for each in TRANSFERS]).record
    assert not can_be_tried(record)
    assert list(judgements(store, "k", record, [f"run:{EXAMPLE}.py"])) == []
    assert can_be_tried(kept(store, "l", transfers=TRANSFERS).record)


def test_keys_tell_cells_lines_and_checkers_apart(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o700)
    names = [f"run:{tmp_path}/tool", f"run:{tmp_path}/tool x"]
    assert len({checker_key(cell, line, name) for cell in "ab" for line in "cd" for name in names}) == 8


def test_what_a_checker_cannot_be_asked_is_its_failure(tmp_path: Path, kernel: KernelInfo) -> None:
    del kernel
    store = Store(tmp_path)
    record = kept(store, "k", transfers=TRANSFERS[:1], settings=["measurements.0.size=100 kB"]).record
    found = checker_verdict(store, "k", record, "line", f"run:{EXAMPLE}.py {{target_url}} {{control_url}}")
    assert found["failed"] == "the checker failed: the line has no control for {control_url}"
