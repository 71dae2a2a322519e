"""Answer sheets: read as a stranger's, and refused with a line where they cannot be."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import InputError, ScenarioError, TestbedError
from testbed.labs.catalogue import find_lab
from testbed.labs.sheet import blank_sheet, read_sheet
from tests.labs.made import made_lab

if TYPE_CHECKING:
    from pathlib import Path


def read(tmp_path: Path, text: str | bytes, name: str = "answers.yaml", student: str = "ann") -> object:
    folder = tmp_path / "ann"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_sheet(folder, made_lab(tmp_path / "lab"), student).answers


@pytest.mark.parametrize("name", ["1", "2", "3", "4", "5", "6"])
@pytest.mark.parametrize("student", ["", "ann", 'Ann "the one"', "*: [", "true", "Ann\nanswers: 1"])
def test_a_blank_sheet_is_read_and_has_no_answer(tmp_path: Path, name: str, student: str) -> None:
    lab = find_lab(name)
    (tmp_path / "answers.yaml").write_text(blank_sheet(lab, student))
    found = read_sheet(tmp_path, lab, student).answers
    assert {*found.values()} == {None}
    wanted = {(case, key) for key, each in lab.lab.questions.items() for case in lab.cases_of(each)}
    assert {*found} == wanted


def test_yaml_and_json_are_read_alike(tmp_path: Path) -> None:
    expected = {("A", "cause"): "box", ("B", "rate"): 140}
    assert read(tmp_path, "answers:\n  A: {cause: box}\n  B:\n    rate: 140\n") == expected
    (tmp_path / "ann" / "answers.yaml").unlink()
    assert read(
        tmp_path, '{"student": "ann", "answers": {"A": {"cause": "box"}, "B": {"rate": 140}}}', "answers.json"
    ) == (expected)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("answers: {C: {cause: box}}", ":1: answers.C: nobody asked for this; expected A, B"),
        ("answers:\n  A:\n    colour: red", ":3: answers.A.colour: nobody asked for this"),
        ("answers: [box]", ":1: answers: expected a mapping"),
        ("answers: {A: box}", ":1: answers.A: expected a mapping"),
        ("points: 100\nanswers: {}", ":1: points: unknown key"),
        ("lab: other", ":1: lab: these are answers to 'other'"),
        ("student: bob", ":1: student: this is the sheet of 'bob'"),
        ("answers: &a {A: *a}", ":1: not YAML: an alias"),
        ("answers: {A: {cause: !!python/object/apply:os.system [id]}}", "could not determine a constructor"),
        ("answers: {A: {cause: box, cause: line}}", "the key 'cause' stands twice"),
        ("answers: {A: {cause: box}", "not YAML"),
        ("\x00", "not YAML"),
        ("- 1", "expected a mapping"),
        ("", "expected a mapping"),
        ("answers: " + "[" * 5000, "nested too deeply"),
        ("# " + "x" * 70_000, "more than 65536 bytes"),
    ],
)  # fmt: skip
def test_a_sheet_that_cannot_be_used_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(TestbedError) as caught:
        read(tmp_path, text)
    assert problem in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_sheet_is_a_file_and_there_is_one(tmp_path: Path) -> None:
    lab = made_lab(tmp_path / "lab")
    folder = tmp_path / "ann"
    folder.mkdir()
    with pytest.raises(InputError, match=r"there is no answers\.yaml"):
        read_sheet(folder, lab, "ann")
    (folder / "answers.yaml").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="no regular file"):
        read_sheet(folder, lab, "ann")
    (folder / "answers.yaml").unlink()
    os.mkfifo(folder / "answers.yaml")  # who opens it would wait for ever
    with pytest.raises(InputError, match="no regular file"):
        read_sheet(folder, lab, "ann")
    (folder / "answers.json").write_text("{}")
    with pytest.raises(InputError, match="are both there; keep one"):
        read_sheet(folder, lab, "ann")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(answers=VALUES)
def test_whatever_stands_there_is_read_or_refused(answers: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("sheet")
    text = yaml.safe_dump({"answers": {"A": answers}})
    with contextlib.suppress(InputError, ScenarioError):
        assert isinstance(read(folder, text), dict)
