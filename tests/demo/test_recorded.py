from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from testbed.demo.recorded import export, run_messages, site
from testbed.errors import InputError, RecordError
from testbed.records.run import RunDirectory
from tests.demo.runs import hand_made_run

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_PAGE_BYTES = 100_000
LONGEST_SCRIPT = 300  # lines


def test_a_run_is_told_whole_and_in_order(tmp_path: Path) -> None:
    messages = run_messages(hand_made_run(tmp_path / "run"), is_guess=False)
    assert [each["kind"] for each in messages] == ["state", "head", "records", "outcome"]
    records = messages[2]["r"]
    assert isinstance(records, list)
    assert [each[1] for each in records] == sorted(each[1] for each in records)
    assert {each[0] for each in records} == {"b", "e", "t", "x"}


def test_while_a_class_guesses_what_tells_of_the_box_is_marked(tmp_path: Path) -> None:
    messages = run_messages(hand_made_run(tmp_path / "run"), is_guess=True)
    shown = [each for each in messages if not each.get("secret")]
    assert [each["kind"] for each in shown] == ["state", "head", "records"]
    assert shown[0]["hidden"] is True
    assert "data-box" not in str(shown[1])


def test_a_run_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not complete; run it again"):
        run_messages(hand_made_run(tmp_path / "run", state="incomplete"), is_guess=False)


def test_records_in_a_script_cannot_end_it(tmp_path: Path) -> None:
    files = site([hand_made_run(tmp_path / "run", sni="</script><script>alert(1)")], is_guess=False)
    assert files["run-1.js"].startswith(b"globalThis.recordedRun = ")
    json.loads(files["run-1.js"].removeprefix(b"globalThis.recordedRun = ").rstrip(b";\n"))
    assert b"alert" not in files["run-1.html"]  # the script is a file of its own


def test_an_exported_folder_has_the_page_and_asks_nobody_else(tmp_path: Path) -> None:
    written = export([hand_made_run(tmp_path / "run")], tmp_path / "site", is_guess=False)
    assert {path.name for path in written} == {"index.html", "demo.css", "demo.js", "run-1.html", "run-1.js"}
    pages = [path.read_text() for path in written if path.name != "run-1.js"]
    assert sum(map(len, pages)) < LARGEST_PAGE_BYTES
    addresses = {found for page in pages for found in re.findall(r"https?:[^\"' ]*", page)}
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, which nobody asks for


def test_our_own_script_is_short(tmp_path: Path) -> None:
    files = site([hand_made_run(tmp_path / "run")], is_guess=False)
    assert len(files["demo.js"].splitlines()) < LONGEST_SCRIPT


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    run = hand_made_run(tmp_path / "run")
    with pytest.raises(InputError, match="name a new folder"):
        export([run], tmp_path, is_guess=False)
    with pytest.raises(InputError, match="name the runs"):
        export([], tmp_path / "site", is_guess=False)


@pytest.mark.parametrize("kept", ["compressed", "without boxes"])
def test_a_run_whose_records_were_compressed_or_that_has_no_box_is_played(tmp_path: Path, kept: str) -> None:
    path = hand_made_run(tmp_path / "run")
    before = run_messages(path, is_guess=False)
    if kept == "compressed":
        RunDirectory.open(path).compress_records()
        assert run_messages(path, is_guess=False) == before
    else:
        (path / "truth.jsonl").unlink()
        [records] = [each["r"] for each in run_messages(path, is_guess=False) if each["kind"] == "records"]
        assert isinstance(records, list)
        assert {each[0] for each in records} == {"b", "t"}


def test_a_damaged_archive_of_records_is_told(tmp_path: Path) -> None:
    path = hand_made_run(tmp_path / "run")
    RunDirectory.open(path).compress_records()
    packed = path / "truth.jsonl.gz"
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(RecordError, match=r"cannot read .*truth\.jsonl"):
        run_messages(path, is_guess=False)
