"""A file whose beginning nobody needs gives it back to the disk, and its end stays what it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from testbed.records.holes import HolePunch

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 1 << 20


def blocks(path: Path) -> int:
    return path.stat().st_blocks * 512


def forgotten(path: Path, end: int) -> HolePunch:
    with path.open("rb") as file:
        punch = HolePunch(file.fileno())
        punch.forget(end)
        punch.close()
    return punch


def test_what_was_read_takes_no_room_and_the_rest_is_there(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(b"x" * SIZE)
    before = blocks(path)
    punch = forgotten(path, SIZE - 5000)
    assert punch.begin == SIZE - 8192
    assert blocks(path) <= before - punch.begin
    assert path.stat().st_size == SIZE
    assert path.read_bytes()[punch.begin :] == b"x" * 8192


def test_a_little_is_not_worth_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(b"x" * SIZE)
    assert forgotten(path, 100_000).begin == 0
    assert path.read_bytes() == b"x" * SIZE


def test_a_file_with_a_second_name_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(b"x" * SIZE)
    os.link(path, tmp_path / "other")
    assert forgotten(path, SIZE).begin == 0
    assert path.read_bytes() == b"x" * SIZE


def test_what_cannot_have_holes_stays_whole_and_is_not_asked_again() -> None:
    read, write = os.pipe()
    punch = HolePunch(read)
    punch.forget(SIZE)
    punch.forget(2 * SIZE)
    assert punch.begin == 0
    for descriptor in (read, write):
        os.close(descriptor)
