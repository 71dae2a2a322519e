"""``evade``: a table of ways and censors, from real runs; what it says of a transfer, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from testbed.cli.commands import evading
from testbed.cli.commands.evading import Cell
from tests.cli.program import status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Runner

FEW = ["evade", "matrix", "--evasion", "plain", "--evasion", "tcp-split", "--size", "60 kB"]


def test_ways_are_told_apart_before_each_censor(
    run_scenario: Runner, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    censors = ["--censor", "ru-tw-2021c", "--censor", "ru-2022-I"]
    assert status(*FEW, *censors, "--json", "-o", str(tmp_path / "kept")) == 0
    cells = json.loads(capsys.readouterr().out)
    assert {(cell["censor"], cell["evasion"]): cell["outcome"] for cell in cells} == {
        ("ru-tw-2021c", "plain"): "slowed", ("ru-tw-2021c", "tcp-split"): "passes",
        ("ru-2022-I", "plain"): "ended", ("ru-2022-I", "tcp-split"): "passes",
    }  # fmt: skip
    assert {cell["sni"] for cell in cells} == {"t.co", "facebook.com"}
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["ru-2022-I", "ru-tw-2021c"]


def test_a_family_is_tried_as_it_was_on_each_date(run_scenario: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(run_scenario)
    dates = ["--date", "2021-03-10T09:00Z", "--date", "2021-04-03"]
    name = ["--sni", "throttletwitter.com", "--evasion", "plain", "--size", "60 kB", "--csv"]
    assert status("evade", "matrix", "--censor", "ru-tw-2021", *dates, *name) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["censor"], row["outcome"]) for row in rows] == [
        ("ru-tw-2021 2021-03-10", "slowed"), ("ru-tw-2021 2021-04-03", "passes"),
    ]  # fmt: skip


@pytest.mark.parametrize(("cell", "said"), [
    (("passes", 1_620_000.0, 1_620_000.0, None), "1.62 M"),
    (("slowed", 140_400.0, 1_620_000.0, None), "140 k slowed"),
    (("ended", None, 1_620_000.0, "receiving failed: Connection reset by peer"), "reset"),
    (("ended", None, 1_620_000.0, "timed out while waiting for data"), "ended"),
    (("impossible", 140_400.0, None, None), "–"),
])  # fmt: skip
def test_what_stands_in_the_table(cell: tuple[str, float | None, float | None, str | None], said: str) -> None:
    outcome, boxed, free, error = cell
    assert Cell("plain", "x", "t.co", outcome, boxed, free, error).in_words() == said  # type: ignore[arg-type]


@pytest.mark.parametrize(("arguments", "problem"), [
    (["--evasion", "tcp-splitt"], "did you mean tcp-split"),
    (["--censor", "moon"], "no profile 'moon'"),
    (["--censor", "moon", "--date", "2021-03-10"], "no censor profile or family 'moon'"),
    (["--size", "60 lkB"], "the unit 'lkB' is unknown"),
    (["--date", "tomorrow"], "expected"),
    (["--sni", "-"], "expected a DNS name"),
    (["--sni", ""], "expected a DNS name"),
    (["--censor", "ru-tw-2021"], "this is a family (ru-tw-2021a, "),
    (["--censor", "ru-tw-2021", "--date", "2021-03-10"], "no box would act on a landline: no profile of family"),
    (["--censor", "ru-tw-2021a", "--date", "2031-01-01"], "ended at 2021-03-11"),
])  # fmt: skip
def test_what_cannot_be_tried_is_refused(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status("evade", "matrix", *arguments) == 2
    assert problem in capsys.readouterr().err


def test_a_run_that_must_not_be_used_is_told_and_the_others_are_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def tried(task: Any) -> list[Cell] | str:
        if task.censor == "ru-2022-I":
            return "a packet left late"
        return [Cell(way, task.censor, task.sni, "passes", 2e6, 2e6, None) for way in ("plain", "tcp-split")]

    monkeypatch.setattr(evading, "_tried", tried)
    monkeypatch.setattr(evading, "ProcessPoolExecutor", lambda jobs, **_: ThreadPoolExecutor(jobs))
    assert status(*FEW, "--censor", "ru-2022-I", "--censor", "ru-tw-2021c", "--censor", "ru-tw-2021c") == 4
    said = capsys.readouterr()
    assert "invalid run: ru-2022-I: a packet left late" in said.err
    assert said.out.splitlines()[0].split() == ["way", "ru-tw-2021c"]
