"""What a command prints is read on from where reading stopped, in bounded pieces, and from regular files alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from testbed.errors import RecordError
from testbed.records.follow import Follower, LineFollower

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "stdout")
    assert list(follower.new()) == []
    (tmp_path / "stdout").write_bytes(b"now")
    assert list(follower.new()) == [b"now"]
    follower.close()


def test_each_byte_comes_once(tmp_path: Path) -> None:
    path = tmp_path / "stdout"
    follower, found = Follower(path), b""
    for piece in (b"one ", b"two ", b""):
        with path.open("ab") as file:
            file.write(piece)
        found += b"".join(follower.new())
    assert found == b"one two "
    follower.close()


def test_no_more_than_wanted_comes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "stdout"
    path.write_bytes(b"x" * 300_000)
    follower = Follower(path)
    first = sum(map(len, follower.new(most=100_000)))
    assert 100_000 <= first < 300_000
    assert first + sum(map(len, follower.new(most=None))) == 300_000
    follower.close()


def test_what_is_no_regular_file_counts_as_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stdout")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("stdout", "link"):
        follower = Follower(tmp_path / name)
        assert list(follower.new()) == []
        follower.close()


def test_closing_what_was_never_opened_is_no_error(tmp_path: Path) -> None:
    Follower(tmp_path / "stdout").close()


def test_lines_come_whole_wherever_they_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for at in range(8):
        path.write_bytes(b"")
        lines, found = LineFollower(path), list[bytes]()
        for piece in (b"one\ntwo\n"[:at], b"one\ntwo\n"[at:]):
            with path.open("ab") as file:
                file.write(piece)
            found += lines.new()
        assert found == [b"one", b"two"]
        lines.close()


def test_a_line_without_an_end_takes_no_more_memory_than_a_long_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (3 << 20) + b"\nnext\n")
    lines = LineFollower(path)
    long, after = lines.new(most=None)
    assert len(long) < 2 << 20
    assert after == b"next"
    lines.close()


def test_a_file_that_was_moved_is_read_on_and_one_in_its_place_is_refused(tmp_path: Path) -> None:
    path, moved = tmp_path / "log", tmp_path / "moved"
    path.write_bytes(b"one ")
    follower = Follower(path)
    assert follower.piece() == b"one "
    path.rename(moved)
    with moved.open("ab") as file:
        file.write(b"two")
    follower.moved_to(moved)
    assert (follower.path, follower.piece()) == (moved, b"two")
    moved.unlink()
    moved.write_bytes(b"other")
    with pytest.raises(RecordError, match="is not the file that was read while the run went on"):
        follower.moved_to(moved)
    follower.close()


def test_a_file_that_nobody_opened_is_read_where_it_was_moved_to(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "log")
    (tmp_path / "moved").write_bytes(b"all")
    follower.moved_to(tmp_path / "moved")
    assert follower.piece() == b"all"
    follower.close()


def test_what_is_forgotten_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(bytes(range(256)) * 4096)
    for forgets in (True, False):
        follower = Follower(path, forgets=forgets)
        if forgets:
            assert b"".join(follower.new(most=None)) == bytes(range(256)) * 4096
        else:
            assert set(b"".join(follower.new(most=None))) == {0}
        assert follower.has_forgotten is forgets
        follower.close()
