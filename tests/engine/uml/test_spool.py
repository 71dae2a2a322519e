"""What a guest leaves in its folder is taken over and removed, whatever modes, names and depths it has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from testbed.engine.uml.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    folder = tmp_path / "run"
    for each in (folder, folder / "captures", folder / "recordings"):
        each.mkdir()
    return Spool(folder)


def go_down(folder: Path, levels: int) -> None:
    """Make folders in folders, deeper than any path reaches."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_a_folder_deeper_than_any_path_is_removed(spool: Spool) -> None:
    go_down(spool.output / "output", 3000)
    left = spool.take_over()
    spool.remove()
    assert len(left) == 1
    assert not list(spool.folder.parent.glob(".guest*"))


def test_files_and_folders_for_nobody_are_taken_over_and_removed(spool: Spool) -> None:
    output = spool.output / "output"
    (output / "locked").mkdir()
    (output / "locked" / "file").write_text("kept")
    (output / "locked" / "file").chmod(0o4000)
    (output / "locked").chmod(0)
    assert spool.take_over() == []
    spool.remove()
    taken = spool.folder.parent / "output" / "locked" / "file"
    assert taken.read_text() == "kept"
    assert taken.stat().st_mode & 0o7400 == 0o400
    assert not spool.folder.exists()


def test_a_name_cannot_forge_a_line_of_a_report(spool: Spool) -> None:
    (spool.output / "output" / "x\nvalid:\n  \x1b[32mall is well").symlink_to("y")
    (left,) = spool.take_over()
    assert left.isprintable()


def test_what_is_left_behind_is_counted_not_listed_without_end(spool: Spool) -> None:
    for number in range(300):
        (spool.output / "output" / f"link{number}").symlink_to("y")
    left = spool.take_over()
    assert len(left) == 101
    assert left[-1] == "and 200 more"


@pytest.mark.parametrize("bytes_each", [0, 1])
def test_a_folder_is_overfull_by_bytes_or_by_files(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, bytes_each: int
) -> None:
    monkeypatch.setattr("testbed.engine.uml.spool.MOST_OUTPUT_BYTES", 5 * 4096 if bytes_each else 1 << 30)
    monkeypatch.setattr("testbed.engine.uml.spool._MOST_FILES", 5 if not bytes_each else 10_000)
    folder = spool.output / "output" / "deep"
    folder.mkdir()
    (folder / "sparse").touch()
    os.truncate(folder / "sparse", 1 << 40)
    for number in range(4):
        (folder / str(number)).write_text("x" * bytes_each)
    assert not spool.is_overfull()
    for number in range(20):
        (folder / f"more{number}").write_text("x" * bytes_each)
    assert spool.is_overfull()
