"""Nothing that somebody planted is followed, waited for, or read without end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.errors import RecordError
from testbed.records.files import open_regular, read_regular, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable


def plant_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


@pytest.mark.parametrize(
    ("plant", "error"),
    [
        (lambda path: path.symlink_to("/etc/passwd"), OSError),
        (lambda path: path.symlink_to("/dev/zero"), OSError),
        (os.mkfifo, RecordError),
        (lambda path: path.mkdir(), RecordError),
        (plant_socket, OSError),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, plant: Callable[[Path], object], error: type[Exception]
) -> None:
    plant(tmp_path / "record")
    with pytest.raises(error):
        open_regular(tmp_path / "record")


def test_a_device_is_refused() -> None:
    with pytest.raises(RecordError, match="is a device"):
        read_regular(Path("/dev/zero"))


def test_a_file_that_is_too_large_is_refused_and_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(RecordError, match="more than 1000 bytes"):
        read_regular(path, most_bytes=1000)


def test_a_small_file_asks_for_little_memory(tmp_path: Path) -> None:
    """A machine of 2 GiB cannot promise as much as the largest record that is read."""
    path = tmp_path / "small"
    path.write_bytes(b"few")
    program = (
        "import resource, sys; from pathlib import Path; from testbed.records.files import read_regular;"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "sys.stdout.buffer.write(read_regular(Path(sys.argv[1])))"
    )
    assert subprocess.run([sys.executable, "-c", program, path], capture_output=True, check=True).stdout == b"few"


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_the_limit_is_exact_across_pieces(tmp_path: Path, extra: int) -> None:
    path = tmp_path / "record"
    most_bytes = (1 << 20) + 5  # more than one piece
    path.write_bytes(bytes(most_bytes + extra))
    if extra > 0:
        with pytest.raises(RecordError, match=f"more than {most_bytes} bytes"):
            read_regular(path, most_bytes=most_bytes)
    else:
        assert len(read_regular(path, most_bytes=most_bytes)) == most_bytes + extra


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    for name in ("manifest.json", "manifest.json.partial"):
        (tmp_path / name).symlink_to(precious)
    write_atomically(tmp_path / "manifest.json", "{}")
    assert precious.read_text() == "precious"
    assert not (tmp_path / "manifest.json").is_symlink()
    assert read_regular(tmp_path / "manifest.json") == b"{}"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").touch()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", "text")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
