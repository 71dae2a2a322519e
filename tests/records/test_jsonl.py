"""Lines are appended whole, and every complete one stays readable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import RecordError
from testbed.records.jsonl import LineWriter, read_lines
from tests.records.build import write_all

RECORDS: list[dict[str, Any]] = [{"t": 0.5, "event": "started"}, {"t": 1, "name": "зона\n"}, {"deep": {"list": [1]}}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


def test_what_is_written_is_read(path: Path) -> None:
    write_all(LineWriter(path), RECORDS)
    assert list(read_lines(path)) == RECORDS
    assert path.read_bytes().count(b"\n") == len(RECORDS)


def test_several_writers_append_to_one_file(path: Path) -> None:
    first, second = LineWriter(path), LineWriter(path)
    for number in range(6):
        (first, second)[number % 2].write({"number": number})
    first.close()
    second.close()
    assert [each["number"] for each in read_lines(path)] == list(range(6))


def test_text_that_is_no_unicode_can_be_written(path: Path) -> None:
    write_all(LineWriter(path), [{"error": "caf\udce9"}])
    assert list(read_lines(path)) == [{"error": "caf\udce9"}]


def test_a_full_disk_shows_at_once() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this machine has no /dev/full; make it with: mknod /dev/full c 1 7")
    with pytest.raises(OSError, match="No space left on device"):
        LineWriter(full).write({"t": 0})


@pytest.mark.parametrize("size", range(1, 40))
def test_a_file_cut_anywhere_gives_its_complete_lines_after_a_run_that_died(path: Path, size: int) -> None:
    lines = [json.dumps(each).encode() + b"\n" for each in ({"a": 1}, {"b": "ü"}, {"c": [1, 2]})]
    path.write_bytes(b"".join(lines)[:size])
    found = list(read_lines(path, complete=False))
    assert found == [{"a": 1}, {"b": "ü"}, {"c": [1, 2]}][: len(found)]
    assert len(found) >= b"".join(lines)[:size].count(b"\n")


def test_a_line_that_another_process_went_on_in_the_middle_of_is_left_out(path: Path) -> None:
    path.write_bytes(b'{"a":1}\n{"b":[1,2{"c":3}\n{"d":4}\n')
    assert list(read_lines(path, complete=False)) == [{"a": 1}, {"d": 4}]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a":1}\n{"b":', r"records\.jsonl:2: not a JSON object"),
        (b'{"a":1}\nnonsense\n{"b":2}\n', r"records\.jsonl:2: not a JSON object"),
        (b"\xff\xfe\n", r"records\.jsonl:1: not a JSON object"),
        (b"[1]\n", r"records\.jsonl:1: expected a JSON object, got list"),
        (b"7\n", r"records\.jsonl:1: expected a JSON object, got int"),
        (b"[" * 100_000, r"records\.jsonl:1: not a JSON object"),
    ],
)
def test_garbage_in_a_complete_run_is_refused_with_its_line(path: Path, content: bytes, problem: str) -> None:
    path.write_bytes(content)
    with pytest.raises(RecordError, match=problem):
        list(read_lines(path))


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(RecordError, match=r"cannot read .*records\.jsonl: No such file or directory"):
        list(read_lines(path))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=4))
def test_any_objects_survive(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]) -> None:
    path = tmp_path_factory.mktemp("lines") / "records.jsonl"
    write_all(LineWriter(path), records)
    assert list(read_lines(path)) == records


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("lines") / "records.jsonl"
    path.write_bytes(content)
    assert all(isinstance(each, dict) for each in _read_what_can_be(path))


def _read_what_can_be(path: Path) -> list[dict[str, Any]]:
    found = []
    try:
        found += list(read_lines(path, complete=False))
    except RecordError:
        return []
    return found
