"""A sweep makes a run for each seed and value, tells all that went wrong, and goes on where it was stopped."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from testbed.errors import GuestError
from testbed.records.lock import locked
from testbed.records.run import process_start
from tests.cli.program import SMALL, command, status
from tests.records.build import manifest, write_run

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.scenario.plan import Plan
    from tests.conftest import Runner


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, pretended_kernel: Path) -> list[tuple[str, int]]:
    """Runs are pretended; their folders and seeds, in order. Seed 3 is invalid, seed 4 fails."""
    del pretended_kernel
    found: list[tuple[str, int]] = []

    def pretend(plan: Plan, _: object, folder: Path, **__: object) -> dict[str, object]:
        seed = plan.data["seed"]
        found.append((folder.name, seed))
        if seed == 4:
            raise GuestError("the guest crashed")
        told = manifest(seed=seed)
        if seed == 3:
            told |= {"valid": False, "problems": ["the guest was starved"]}
        write_run(folder).write_manifest(told)
        return {**told}

    monkeypatch.setattr("testbed.cli.commands.making.run_plan", pretend)
    monkeypatch.setattr("testbed.cli.commands.sweeps.processors", lambda: 1)  # other processes pretend nothing
    return found


def test_each_seed_has_a_folder_and_all_are_in_one_table(
    made: list[tuple[str, int]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert status("run", "2021-03-10", "--seed", "1-2", "-o", str(tmp_path / "sweep")) == 0
    assert made == [("seed=1", 1), ("seed=2", 2)]
    with (tmp_path / "sweep" / "table.csv").open() as file:
        assert [row["seed"] for row in csv.DictReader(file)] == ["1", "2"]
    out = capsys.readouterr().out
    assert "seed=2" in out
    assert "table of all transfers:" in out


def test_values_of_a_setting_are_varied_too(made: list[tuple[str, int]], tmp_path: Path) -> None:
    arguments = ["--set", "meter=token_bucket|coarse_refill", "--seed", "7", "-o", str(tmp_path / "sweep")]
    assert status("run", "2021-03-10", *arguments) == 0
    assert made == [("meter=token_bucket", 7), ("meter=coarse_refill", 7)]


def test_a_run_that_fails_or_is_invalid_is_told_and_does_not_stop_the_others(
    made: list[tuple[str, int]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert status("run", "2021-03-10", "--seed", "3-5", "-o", str(tmp_path / "sweep"), "--json") == 4
    assert [seed for _, seed in made] == [3, 4, 5]
    output = capsys.readouterr()
    assert json.loads(output.out)["problems"] == {
        "seed=3": "the guest was starved", "seed=4": "the guest crashed",
    }  # fmt: skip
    assert "invalid run: seed=4: the guest crashed" in output.err


def test_a_mistake_in_one_variant_is_told_before_anything_runs(
    made: list[tuple[str, int]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["--set", "meter=token_bucket|nosuch", "-o", str(tmp_path / "sweep")]
    assert status("run", "2021-03-10", *arguments) == 2
    assert made == []
    assert "meter: expected" in capsys.readouterr().err


def test_a_sweep_goes_on_where_it_was_stopped(run_scenario: Runner, tmp_path: Path) -> None:
    """What is complete is left alone, what died is kept aside and made again, and another plan is refused."""
    assert callable(run_scenario)  # skips where there is no kernel
    arguments = ["run", "2021-03-10", *SMALL, "--seed", "1-2", "-o", str(tmp_path / "sweep")]
    assert command(*arguments).returncode == 0
    before = (tmp_path / "sweep" / "seed=1" / "manifest.json").read_bytes()
    died = tmp_path / "sweep" / "seed=2"
    document = json.loads((died / "manifest.json").read_text())
    (died / "manifest.json").write_text(json.dumps({**document, "state": "incomplete"}))
    again = command(*arguments)
    assert again.returncode == 0
    assert "1 of 2 runs are there already" in again.stderr
    assert (tmp_path / "sweep" / "seed=1" / "manifest.json").read_bytes() == before
    assert (tmp_path / "sweep" / "seed=2.incomplete-1" / "truth.jsonl").exists()
    other = command(*arguments, "--set", "congestion_control=bbr")
    assert other.returncode == 2
    assert "a run of another plan" in other.stderr
    shutil.rmtree(tmp_path / "sweep")


def test_a_sweep_with_other_programs_goes_on_too(run_scenario: Runner, tmp_path: Path) -> None:
    """A run's plan says what stood in, and nobody asked for it on a machine that has no nginx."""
    assert callable(run_scenario)  # skips where there is no kernel
    arguments = ["run", "2021-03-10", *SMALL, "--set", "programs={origin: builtin}", "--seed", "1-2"]
    assert command(*arguments, "-o", str(tmp_path / "sweep")).returncode == 0
    again = command(*arguments, "-o", str(tmp_path / "sweep"))
    assert again.returncode == 0
    assert "2 of 2 runs are there already" in again.stderr


def test_the_table_has_the_settings_that_vary(made: list[tuple[str, int]], tmp_path: Path) -> None:
    arguments = ["--set", "meter=token_bucket|coarse_refill", "--set", "title=one", "--seed", "7-8"]
    assert status("run", "2021-03-10", *arguments, "-o", str(tmp_path / "sweep")) == 0
    assert len(made) == 4
    with (tmp_path / "sweep" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["set_meter"] for row in rows] == ["token_bucket", "token_bucket", "coarse_refill", "coarse_refill"]
    assert "set_title" not in rows[0]


def test_a_folder_that_is_something_else_is_refused(
    made: list[tuple[str, int]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_run(tmp_path / "one")
    (tmp_path / "file").touch()
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "seed=1").touch()
    for name, problem in (
        ("one", "this is one run"), ("file", "cannot make the folder"), ("sweep", "a file, where a run should be"),
    ):  # fmt: skip
        assert status("run", "2021-03-10", "--seed", "1-2", "-o", str(tmp_path / name)) == 2
        assert problem in capsys.readouterr().err
    assert made == []


def test_a_run_that_is_being_made_is_left_alone(
    made: list[tuple[str, int]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    alive = {"pid": os.getpid(), "started": process_start(os.getpid())}
    run = write_run(tmp_path / "sweep" / "seed=1")
    run.write_manifest(manifest(state="running", process=alive))
    assert status("run", "2021-03-10", "--seed", "1-2", "-o", str(tmp_path / "sweep")) == 2
    assert "this run is being made at this moment" in capsys.readouterr().err
    assert [each.name for each in (tmp_path / "sweep").iterdir()] == ["seed=1"]
    assert made == []


def test_two_sweeps_do_not_share_a_folder(
    made: list[tuple[str, int]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "sweep").mkdir()
    with locked(tmp_path / "sweep"):
        assert status("run", "2021-03-10", "--seed", "1-2", "-o", str(tmp_path / "sweep")) == 2
    assert "another sweep is making its runs in this folder" in capsys.readouterr().err
    assert made == []


def test_a_run_whose_fingerprint_is_none_is_refused(
    made: list[tuple[str, int]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_run(tmp_path / "sweep" / "seed=1").write_manifest(manifest(fingerprint=None))
    assert status("run", "2021-03-10", "--seed", "1-2", "-o", str(tmp_path / "sweep")) == 2
    assert "a run of another plan" in capsys.readouterr().err
    assert made == []


DAYS = (
    "measurements=[{fetch: twitter.com, size: 20 kB, role: target}]", "recordings=[]", "outages=[]", "captures=[]",
    "schedule={every: 6 h, until: 2021-03-11T13:00Z}",
)  # fmt: skip
BY_DAY = ["run", "2021-03-10", *(word for setting in DAYS for word in ("--set", setting)), "--by-day"]


def test_each_day_has_a_run_of_its_own(made: list[tuple[str, int]], tmp_path: Path) -> None:
    assert status(*BY_DAY, "-o", str(tmp_path / "days")) == 0
    names, seeds = zip(*made, strict=True)
    assert names == ("2021-03-10", "2021-03-11")
    assert len(set(seeds)) == 2
    assert status(*BY_DAY, "--seed", "1-2", "-o", str(tmp_path / "both")) == 0
    # Seed 1 is the scenario's own.
    assert made[2:4] == [(f"seed=1_{name}", seed) for name, seed in made[:2]]
    assert [name for name, _ in made[4:]] == ["seed=2_2021-03-10", "seed=2_2021-03-11"]


def test_days_on_all_processors_on_one_and_alone_are_the_same(run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    folders = [tmp_path / name / "days" for name in ("two", "one")]
    for folder, jobs in zip(folders, ("2", "1"), strict=True):
        folder.parent.mkdir()
        if len(os.sched_getaffinity(0)) < 2:
            pytest.skip("runs side by side need two processors; give this machine another one")
        result = command(*BY_DAY, "--jobs", jobs, "-o", "days", cwd=folder.parent, stdout=subprocess.PIPE)
        assert result.returncode == 0, result.stderr
        assert "2 runs made: " in result.stdout
    tables = [(folder / "table.csv").read_bytes() for folder in folders]
    assert tables[0] == tables[1]
    assert tables[0].count(b"twitter.com") > 4
    alone = command(*BY_DAY, "--only", "2021-03-11", "-o", str(tmp_path / "alone"))
    assert alone.returncode == 0, alone.stderr
    truth = [path / "truth.jsonl" for path in (folders[0] / "2021-03-11", tmp_path / "alone")]
    assert truth[0].read_bytes() == truth[1].read_bytes()
    assert b"throttling_started" in truth[0].read_bytes()


@pytest.mark.parametrize(("arguments", "problem"), [
    ([*BY_DAY, "--only", "2021-03-12"], "this sweep has no such run (there: 2021-03-10, 2021-03-11)"),
    ([*BY_DAY, "--only", "-"], "say which with -o"),
    ([*BY_DAY, "--engine", "realtime", "--jobs", "2"], "runs would slow each other down"),
    ([*BY_DAY, "--", "true"], "a command has no days"),
    (["run", "2021-03-10", "--only", "seed=1"], "this is one run"),
    (["run", "2021-03-10", "--jobs", "2"], "this is one run"),
    (["run", "2021-03-10", "--seed", "1-2", "--jobs", "2", "--", "true"], "a command's output would be mixed"),
])  # fmt: skip
@pytest.mark.usefixtures("pretended_kernel")
def test_what_a_sweep_cannot_do_is_refused(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(*arguments) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_run_that_cannot_be_read_is_refused_with_what_to_do(
    made: list[tuple[str, int]], capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str | None
) -> None:
    folder = write_run(tmp_path / "sweep" / "seed=1").path
    if text is None:
        (folder / "manifest.json").unlink()
    else:
        (folder / "manifest.json").write_text(text)
    assert status("run", "2021-03-10", "--seed", "1-2", "-o", str(tmp_path / "sweep")) == 2
    assert f"remove {folder} to make this run again" in capsys.readouterr().err
    assert made == []
