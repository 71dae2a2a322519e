"""What is given to commands: bad input ends with status 2 and says why."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from testbed.cli.arguments import PROBE_NAMES, make_parser
from testbed.scenario import library
from testbed.traffic.probes import PROBES
from tests.cli.program import REPOSITORY, status

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from pathlib import Path


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["dance"], "invalid choice: 'dance'"),
        (["run"], "the following arguments are required: scenario"),
        (["run", "nosuch"], "testbed: no scenario 'nosuch'; there are: "),
        (["run", "2021-03-10", "--set", "titel=x"], "--set titel=x: titel: unknown key; remove it or correct"),
        (["run", "2021-03-10", "--set", "title"], "--set 'title': expected key=value, as in date="),
        (["run", "2021-03-10", "--set", "date=2021-13-45"], "'2021-13-45' is no timestamp"),
        (["run", "2021-03-10", "--set", "measurements.0.at=290"], "measurements.0.at: expected a duration such as"),
        (["run", "2021-03-10", "--set", "measurements.0.timeout=0 s"], "measurements.0.timeout: expected greater than"),
        (["run", "2021-03-10", "--seed", "0"], "as in 7, 1-30 or 1,5,9-12, got '0'"),
        (["run", "2021-03-10", "--seed", "many"], "as in 7, 1-30 or 1,5,9-12, got 'many'"),
        (["run", "2021-03-10", "--seed", str(1 << 63)], "expected whole numbers from 1 to 2**63 - 1"),
        (["run", "2021-03-10", "--engine", "warp"], "invalid choice: 'warp'; there are: virtual"),
        (["run", "2021-03-10", "--watchdog", "0"], "expected a number of seconds, got '0'"),
        (["run", "2021-03-10", "--watchdog", "nan"], "expected a number of seconds, got 'nan'"),
        (["run", "2021-03-10", "--watchdog", "soon"], "expected a number of seconds, got 'soon'"),
        (["report", "nosuch"], "testbed: nosuch is no run directory: manifest.json: No such file or directory"),
        (["inspect", "a.pcap"], "the following arguments are required: --profile"),
        (["inspect", "nosuch.pcap", "--profile", "ru-tw-2021a"], "nosuch.pcap: cannot be read: No such file"),
        (["inspect", "README.md", "--profile", "ru-tw-2021a"], "README.md: not a capture at byte 0: it begins with "),
        (["inspect", "README.md", "--profile", "nosuch"], "testbed: no profile 'nosuch'; there are: "),
        (["inspect", "README.md", "--profile", "ru-tw-2021a", "--inside", "home"], "expected a prefix such as"),
        (["show", "nosuch"], "testbed: nothing is called 'nosuch'; there are: "),
        (["list", "planets"], "invalid choice: 'planets'"),
        (["schema", "planet"], "invalid choice: 'planet'"),
        (["kernel", "destroy"], "invalid choice: 'destroy'"),
        (["conformance", "--profile", "nosuch"], "nothing was published about a profile 'nosuch'"),
        (["list", "scenarios", "--", "true"], "only 'testbed run' takes a command after --"),
    ],
)  # fmt: skip
def test_input_that_cannot_be_used_ends_with_status_2_and_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], problem: str
) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert status(*arguments) == 2
    output = capsys.readouterr()
    assert problem in output.err
    assert output.out == ""


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ("title:", "titel:", "titel: unknown key; remove it or correct its spelling"),
        ("20 s, at: 290 s", "20 s, at: 290", "measurements.12.at: expected a duration such as '95 ms', got 290"),
        ("size: 383 kB", "size: 383 kbit/s", "recordings.0.size: expected a size such as '383 kB', got '383 kbit/s'"),
        ("topology: russia2021", "topology: atlantis", "network.topology: no topology 'atlantis'; there are: "),
        ("tspu: ru-tw-2021", "tspu: nosuch", "censors.tspu: no censor profile or family 'nosuch'; there are: "),
        ("fetch: t.co", "fetch: t.com", "measurements.4.fetch: no origin serves t.com; add it to an origin's 'serves'"),
        ("format: 1", "format: 1\nformat: 1", "the key 'format' stands twice"),
    ],
)  # fmt: skip
def test_a_scenario_that_cannot_be_used_is_refused_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, was: str, becomes: str, problem: str
) -> None:
    text = library.find("scenarios", "2021-03-10").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(was, becomes))
    line = text[: text.index(was)].count("\n") + 1 + becomes.count("\n")
    assert status("run", str(path)) == 2
    assert f"{path}:{line}: {problem}" in capsys.readouterr().err


def test_a_file_with_the_ending_of_a_scenario_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text("[1, 2")
    assert status("run", str(tmp_path / "a.yaml")) == 2
    assert "a.yaml:1: not YAML: " in capsys.readouterr().err


def test_every_command_leads_to_a_function() -> None:
    commands = leaves(make_parser())
    assert len(commands) > 15
    for parser in commands:
        module, _, function = parser.get_default("command").partition(":")
        assert callable(getattr(import_module(f"testbed.cli.commands.{module}"), function)), parser.prog


def leaves(parser: ArgumentParser) -> list[ArgumentParser]:
    """The commands below a parser that have none below them."""
    below = [each.choices for each in parser._actions if isinstance(each.choices, dict)]
    return [leaf for choices in below for each in choices.values() for leaf in leaves(each)] or [parser]


def test_every_probe_can_be_named() -> None:
    assert set(PROBE_NAMES) == set(PROBES)


def test_the_command_line_loads_what_a_command_needs_when_it_is_given() -> None:
    program = "import sys, testbed.cli; print(sorted({'pydantic', 'yaml', 'mininet', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
