"""`lab`: begun, filled in and graded, as a student and as a teacher do; and where no guest can run."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import yaml

from testbed.cli import main
from testbed.labs.catalogue import find_lab
from testbed.labs.desk import read_desk
from testbed.labs.lot import all_picks, seed_of, student_picks, truth_of
from testbed.labs.recording import write_pack
from tests.cli.program import status
from tests.labs.made import Drawn, made_lab

if TYPE_CHECKING:
    from testbed.labs.lab import LabFile

ROOT = Path(__file__).resolve().parents[3]
RECORDED = ("1", "2", "3", "6")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "labs.zip"
    labs = [find_lab(number) for number in RECORDED]
    write_pack(path, labs, picks=all_picks, recordings=Drawn(), version="1")
    return path


def start(pack: Path, folder: Path, number: str = "1", *more: str) -> Path:
    assert status("lab", "start", number, "--from", str(pack), "-o", str(folder), *more) == 0
    return folder


def fill_in(folder: Path, lab: LabFile, seed: int | None = None) -> None:
    """Answer all that is asked, and rightly."""
    desk = read_desk(folder)
    seed = desk.seed or seed
    assert seed is not None
    answers: dict[str, object] = {each.case: truth_of(lab, each).answers for each in student_picks(lab, seed)}
    if lab.lab.practice:
        answers = {"detector": "detector.py"}
    sheet = {"lab": lab.name, "student": desk.student, "answers": answers}
    (folder / "answers.yaml").write_text(yaml.safe_dump(sheet))


@pytest.mark.parametrize("number", RECORDED)
def test_a_recorded_lab_is_begun_and_graded_in_every_form(
    number: str, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = start(pack, tmp_path / "ann", number, "--student", "ann")
    assert "fill in" in capsys.readouterr().out
    check = ["lab", "check", number, str(folder), "--from", str(pack)]
    assert status(*check) == 1
    assert "no answer yet" in capsys.readouterr().out
    lab = find_lab(number)
    fill_in(folder, lab)
    forms = ["--junit", str(tmp_path / "x.xml"), "--gradescope", str(tmp_path / "x.json")]
    assert status(*check, "--json", *forms, "--student", "ann") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["points"], found["of"]) == (lab.points, lab.points)
    assert ET.parse(tmp_path / "x.xml").getroot().attrib["failures"] == "0"
    scores = json.loads((tmp_path / "x.json").read_text())["tests"]
    assert sum(each["score"] for each in scores) == lab.points


@pytest.mark.parametrize("number", RECORDED)
def test_a_recorded_lab_works_where_no_guest_can_run(number: str, pack: Path, tmp_path: Path) -> None:
    """As on another platform: what is of Linux alone cannot be imported there, nor Mininet and the packet queue."""
    modules = ["mininet", "netfilterqueue", "fcntl", "resource", "termios", "pty", "tty", "grp", "pwd"]
    signals = ["SIGHUP", "SIGQUIT", "SIGKILL", "SIGUSR1"]
    functions = [
        "pidfd_open",
        "sched_getaffinity",
        "fork",
        "killpg",
        "O_NOFOLLOW",
        "O_NONBLOCK",
        "O_NOCTTY",
        "O_CLOEXEC",
    ]
    code = (
        "import os, platform, signal, sys\n"
        "platform.system, platform.machine = lambda: 'Darwin', lambda: 'arm64'\n"
        f"for name in {modules}: sys.modules[name] = None\n"
        f"for name in {signals}: delattr(signal, name)\n"
        f"for name in {functions}: delattr(os, name)\n"
        "from testbed.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )

    def elsewhere(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False
        )

    folder = tmp_path / "ann"
    without = elsewhere("lab", "start", number, "-o", str(folder))
    assert without.returncode == 3
    assert "no guest runs on Darwin arm64, but on Linux x86_64 alone; give recordings" in without.stderr
    begun = elsewhere("lab", "start", number, "--from", str(pack), "-o", str(folder))
    assert begun.returncode == 0, begun.stderr
    fill_in(folder, find_lab(number))
    graded = elsewhere("lab", "check", number, str(folder), "--from", str(pack))
    assert graded.returncode == 0, graded.stdout + graded.stderr
    line = elsewhere("doctor", "--class")
    assert "labs 1 2 3 6 from a pack; type: testbed lab start 1 --from labs.zip" in line.stdout


@pytest.mark.parametrize("words", [("start", "4"), ("start", "5"), ("pack", "-o", "x.zip")])
def test_what_needs_a_guest_says_so_at_once(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    monkeypatch.chdir(tmp_path)
    assert status("lab", *words) == 3
    assert "no guest runs on Windows" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_with_a_key_nobody_grades_who_has_it_not(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "class.key"
    key.write_text("secret\n")
    folder = start(pack, tmp_path / "ann", "1", "--student", "ann", "--key", str(key))
    lab = find_lab("1")
    fill_in(folder, lab, seed_of(lab.name, "ann", "secret"))
    capsys.readouterr()
    assert status("lab", "check", "1", str(folder)) == 2
    assert "without it nothing can be told" in capsys.readouterr().err
    assert status("lab", "check", "1", str(folder), "--key", str(key)) == 0
    key.write_text("guessed\n")
    assert status("lab", "check", "1", str(folder), "--key", str(key)) in {0, 1}
    assert status("lab", "start", "1", "--key", str(key), "-o", str(tmp_path / "x")) == 2


def test_a_folder_or_a_sheet_of_another_student_is_refused(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ann = start(pack, tmp_path / "ann", "1", "--student", "ann")
    bob = start(pack, tmp_path / "bob", "1", "--student", "bob")
    fill_in(ann, find_lab("1"))
    assert status("lab", "check", "1", str(ann), "--student", "bob") == 2
    assert "it was made for 'ann', not for 'bob'" in capsys.readouterr().err
    (bob / "answers.yaml").write_bytes((ann / "answers.yaml").read_bytes())
    assert status("lab", "check", "1", str(bob)) == 2
    assert "this is the sheet of 'ann'" in capsys.readouterr().err


def test_recordings_that_were_changed_are_told_and_count_for_nothing(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = start(pack, tmp_path / "ann")
    fill_in(folder, find_lab("1"))
    (folder / "A" / "line.csv").write_text("faster\n")
    assert status("lab", "check", "1", str(folder)) == 0
    assert "A/line.csv is not as it was given; the grade does not depend on it" in capsys.readouterr().err


def test_a_lab_that_is_not_packaged_is_named_and_never_looked_for_where_a_folder_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_lab(tmp_path / "evil")
    write_pack(
        tmp_path / "own.zip", [find_lab(str(tmp_path / "evil"))], picks=all_picks, recordings=Drawn(), version="1"
    )
    folder = tmp_path / "ann"
    assert status("lab", "start", str(tmp_path / "evil"), "--from", str(tmp_path / "own.zip"), "-o", str(folder)) == 0
    assert status("lab", "try", str(folder), "--evade", "plain") == 2
    assert "'evil' is no packaged lab; name its folder with --lab" in capsys.readouterr().err
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert status("lab", "try", str(folder), "--lab", str(tmp_path / "evil"), "--evade", "plain") == 3


def test_one_question_has_a_status_of_its_own(pack: Path, tmp_path: Path) -> None:
    folder = start(pack, tmp_path / "ann")
    lab = find_lab("1")
    fill_in(folder, lab)
    sheet = yaml.safe_load((folder / "answers.yaml").read_text())
    sheet["answers"]["A"]["cause"] = "unknown"
    (folder / "answers.yaml").write_text(yaml.safe_dump(sheet))
    assert status("lab", "check", "1", str(folder), "--question", "target-alone") == 0
    assert status("lab", "check", "1", str(folder), "--question", "cause") == 1
    assert status("lab", "check", "1", str(folder), "--question", "colour") == 2


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("check", "1", "."), "there is no lab.json"),
        (("check", "9", "."), "no lab '9'"),
        (("start", "1", "--from", "lost.zip"), "cannot read lost.zip"),
        (("start", "1", "--key", "lost.key", "--student", "ann"), "lost.key: no regular file"),
        (("try", ".", "--evade", "plain"), "there is no lab.json"),
        (("pack", "4", "-o", "x.zip"), "it has no recordings"),
        (("pack", "-o", "no/x.zip"), "there is no folder no"),
    ],
)
def test_bad_input_is_told(
    words: tuple[str, ...],
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status("lab", *words) == 2
    assert problem in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_list_says_what_each_lab_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "list"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert sum("--from labs.zip" in row for row in rows) >= 4
    assert main(["lab", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(each["tested_on"] for each in found)
