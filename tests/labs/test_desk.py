"""A student's folder: it has all that is needed and no truth; a folder that was changed is refused or told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import InputError
from testbed.labs.catalogue import find_lab
from testbed.labs.desk import begin, changed_files, hidden_settings, read_desk, require_same_lab
from testbed.labs.lot import student_picks, truth_of
from tests.labs.made import LAB, Drawn, made_lab

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.labs.lab import LabFile


def begun(tmp_path: Path, lab: LabFile | None = None, *, is_keyed: bool = False, student: str = "ann") -> Path:
    folder = tmp_path / "ann"
    begin(
        lab or made_lab(tmp_path / "lab"), folder,
        seed=7, student=student, is_keyed=is_keyed, recordings=Drawn(), version="1",
    )  # fmt: skip
    return folder


def test_a_folder_has_the_task_the_recordings_and_a_sheet(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "task.md", "answers.yaml", "lab.json",
        *(f"{case}/line{end}" for case in "AB" for end in (".observation.json", "-client.pcapng", ".csv", ".svg")),
    }  # fmt: skip
    task = (folder / "task.md").read_text()
    assert task.startswith("# student.md\n")
    assert task.endswith("Needs a guest (x86-64 Linux), or a pack of recordings. Tested on: here.\n")
    desk = read_desk(folder)
    assert (desk.lab, desk.student, desk.seed) == ("small", "ann", 7)
    assert changed_files(desk, folder) == []


@pytest.mark.parametrize("name", ["1", "2", "3", "4", "5"])
def test_no_file_of_a_folder_names_a_condition_or_an_answer(tmp_path: Path, name: str) -> None:
    lab = find_lab(name)
    folder = begun(tmp_path, lab)
    text = b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.suffix in {".json", ".csv", ".svg"})
    for pick in student_picks(lab, 7):
        assert f'"{pick.condition}"'.encode() not in text
        for setting in truth_of(lab, pick).settings:
            assert setting.encode() not in text


def test_practice_tells_what_is_true_of_what_was_given_and_of_nothing_else(tmp_path: Path) -> None:
    lab = find_lab("6")
    folder = begun(tmp_path, lab)
    told = json.loads((folder / "practice.json").read_text())
    assert told == {each.case: lab.lab.conditions[each.condition].label for each in student_picks(lab, 7)}
    assert (folder / "detector.py").is_file()


def test_a_teachers_key_keeps_the_seed_out_of_the_folder(tmp_path: Path) -> None:
    folder = begun(tmp_path, is_keyed=True)
    assert json.loads((folder / "lab.json").read_text())["seed"] is None
    assert read_desk(folder).seed is None


def test_nothing_is_written_over(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(InputError, match="there is something already"):
        begun(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"), [("seed", 8), ("student", "bob"), ("lab", "other"), ("files", {}), ("mark", "0"), ("seed", None)]
)
def test_a_folder_that_was_changed_by_hand_is_refused(tmp_path: Path, key: str, value: object) -> None:
    path = begun(tmp_path) / "lab.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(InputError, match="it was changed since the lab was begun"):
        read_desk(path.parent)


@given(data=st.binary(max_size=200))
def test_a_damaged_folder_is_told_and_no_traceback(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "lab.json").write_bytes(data)
    with pytest.raises(InputError, match=r"lab\.json"):
        read_desk(folder)


def test_a_folder_of_another_lab_or_of_another_version_is_refused(tmp_path: Path) -> None:
    desk = read_desk(begun(tmp_path))
    with pytest.raises(InputError, match="a folder of the lab 'small', not of 1-slow"):
        require_same_lab(desk, find_lab("1"), tmp_path)
    with pytest.raises(InputError, match="begun with another version of small"):
        require_same_lab(desk, made_lab(tmp_path / "lab", LAB.replace("minutes: 5", "minutes: 6")), tmp_path)


def test_recordings_that_were_changed_are_told(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    (folder / "A" / "line.csv").write_text("faster\n")
    (folder / "B" / "line-client.pcapng").unlink()
    assert changed_files(read_desk(folder), folder) == ["A/line.csv", "B/line-client.pcapng"]


def test_a_case_that_is_none_is_refused(tmp_path: Path) -> None:
    lab = made_lab(tmp_path / "lab")
    assert hidden_settings(lab, 7, "B")[0].case == "B"
    with pytest.raises(InputError, match="no such case; there are: A, B"):
        hidden_settings(lab, 7, "C")
