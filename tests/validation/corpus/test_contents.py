"""What stands in a corpus is believed only in the form that it was written in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import InputError
from testbed.validation.corpus.archive import Archive
from testbed.validation.corpus.contents import folder_of, read_index, read_truth
from tests.validation.corpus.made import index, members, truth, written

if TYPE_CHECKING:
    from pathlib import Path


def test_an_index_and_a_truth_are_read(tmp_path: Path) -> None:
    with Archive(written(tmp_path / "x.zip")) as archive:
        found = read_index(archive)
        assert found == index("policed/1", "clean/1")
        assert read_truth(archive, found["cells"][0]) == truth("policed/1", is_throttled=True)
    assert folder_of("policed/12") == "cells/policed-12"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"corpus.json": index("policed/1", format=2)}, "corpus.json is of the format 2, and this testbed reads 1"),
        ({"corpus.json": index("policed/1", cells=[{}])}, "corpus.json is damaged: cells.0.id: this key is missing"),
        ({"corpus.json": index("policed/2")}, "the cell policed/2 has no truth.json"),
        ({"corpus.json": b"{"}, "corpus.json is damaged: Expecting"),
        ({"corpus.json": b"[" * 100_000}, "corpus.json is damaged"),
        ({"corpus.json": b"\xff"}, "corpus.json is damaged"),
        ({"corpus.json": []}, "corpus.json is damaged: expected an object"),
    ],
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with Archive(written(tmp_path / "x.zip", members() | changes)) as archive, pytest.raises(InputError) as caught:
        read_index(archive)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (truth("policed/1", is_throttled=True) | {"format": "1"}, "truth.json is of the format '1'"),
        (
            truth("policed/1", is_throttled=True, format=9),
            "truth.json: record is of the format 9, and this testbed reads",
        ),
        (truth("policed/1", is_throttled=True, seed="1"), "record.seed: expected a whole number, got '1'"),
        (truth("policed/1", is_throttled=True, transfers=[{}]), "record.transfers.0.id: this key is missing"),
    ],
)
def test_a_truth_that_is_none_is_refused(tmp_path: Path, value: Any, problem: str) -> None:
    path = written(tmp_path / "x.zip", members() | {"cells/policed-1/truth.json": value})
    with Archive(path) as archive, pytest.raises(InputError) as caught:
        read_truth(archive, read_index(archive)["cells"][0])
    assert problem in str(caught.value)
