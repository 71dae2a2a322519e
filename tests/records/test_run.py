"""A run directory says what it is from its first moment, and never overwrites another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.errors import RecordError
from testbed.records.files import write_atomically
from testbed.records.run import RunDirectory
from tests.records.build import TRUTH, write_run

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.verdicts import VerdictRecord


def test_a_new_run_is_running_and_can_be_read_at_once(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "a" / "run")
    run = RunDirectory.open(tmp_path / "a" / "run")
    assert run.manifest() == {"format": 1, "state": "running"}
    assert (run.truth(), run.measurements()) == ([], [])
    assert sorted(each.name for each in run.path.iterdir()) == ["captures", "manifest.json", "recordings"]


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    assert RunDirectory.create(tmp_path).manifest()["state"] == "running"


def test_a_folder_with_anything_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(RecordError, match="is not empty; runs are never overwritten: choose another folder with -o"):
        RunDirectory.create(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("file", "File exists"),
        ("file/run", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("/proc/nosuch/run", "No such file or directory"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path, path: str, problem: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        RecordError, match=f"cannot write the run directory .*: {problem}; choose another folder with -o"
    ):
        RunDirectory.create(tmp_path / path)


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        (None, "is no run directory: manifest.json: No such file or directory"),
        ("", "manifest.json: not JSON"),
        ('{"format": 1, "sta', "manifest.json: not JSON"),
        ("[]", "manifest.json: expected a JSON object, got list"),
        ("[" * 100_000, "manifest.json: not JSON"),
        ("\udcff", "manifest.json: not JSON"),
        ("{}", r"run format None is unknown \(known: 1\)"),
        ('{"format": 2, "state": "complete"}', "run format 2 is unknown"),
        ('{"format": 1}', r"state None is unknown \(known: running, checking, incomplete, complete\)"),
        ('{"format": 1, "state": ["complete"]}', r"state \['complete'\] is unknown"),
    ],
)
def test_what_is_no_run_directory_is_refused(tmp_path: Path, manifest: str | None, problem: str) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_bytes(manifest.encode("utf-8", "surrogateescape"))
    with pytest.raises(RecordError, match=problem):
        RunDirectory.open(tmp_path)


def test_a_folder_of_runs_says_how_to_name_them(tmp_path: Path) -> None:
    write_run(tmp_path / "1")
    with pytest.raises(RecordError, match=r"no run directory, but a folder of runs; name the runs in it: .*/\*/$"):
        RunDirectory.open(tmp_path)
    (tmp_path / "table.csv").touch()
    with pytest.raises(RecordError, match=r"/\*/, or use .*/table\.csv, which has them all$"):
        RunDirectory.open(tmp_path)


def test_records_can_be_had_of_one_box_or_one_transfer(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", truth=[*TRUTH, {**TRUTH[0], "box": "landline-tspu"}])
    assert [each["box"] for each in run.truth("landline-tspu")] == ["landline-tspu"]
    assert len(run.truth()) == len(TRUTH) + 1
    assert run.measurements("nosuch") == []


@pytest.mark.parametrize("state", ["running", "incomplete"])
def test_a_run_that_died_gives_every_complete_line(tmp_path: Path, state: str) -> None:
    run = write_run(tmp_path / "run", state=state)
    path = run.path / "truth.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert run.truth() == TRUTH[:-1]


def test_a_complete_run_with_a_cut_line_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    path = run.path / "truth.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecordError, match=r"truth\.jsonl:4: not a JSON object"):
        run.truth()


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_plan_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    run = RunDirectory.create(tmp_path / "run")
    if content is not None:
        (run.path / "plan.json").write_text(content)
    with pytest.raises(RecordError, match=r"plan\.json"):
        _ = run.plan


def test_a_manifest_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \udcff")
    assert path.read_text() == "old"
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["manifest.json"]


def test_numbers_and_text_of_a_manifest_survive(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run")
    wanted = {"format": 1, "state": "complete", "t": 290.430578176, "title": "10 марта – “день”", "none": None}
    run.write_manifest(wanted)
    assert run.manifest() == wanted
    assert json.loads((run.path / "manifest.json").read_text()) == wanted


def verdict(detector: str, why: str) -> VerdictRecord:
    return {
        "subject": "all", "detector": detector, "version": "1", "outcome": "throttled", "score": None,
        "rate_bps": None, "burst_bytes": None, "mechanism": None, "content_specific": None, "onset_s": None,
        "why": why, "details": {},
    }  # fmt: skip


def test_later_verdicts_of_a_detector_replace_its_earlier_ones(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    old, other, new = (verdict(name, why) for name, why in (("a", "old"), ("b", "old"), ("a", "new")))
    run.keep_verdicts([old, other])
    run.keep_verdicts([new])
    assert run.verdicts() == [other, new]


def test_a_folder_that_takes_no_verdicts_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (tmp_path / "run/verdicts.jsonl").mkdir()  # in the way, for root too
    with pytest.raises(RecordError, match=r"verdicts\.jsonl is a folder"):
        run.keep_verdicts([verdict("a", "so")])
