from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError
from testbed.records.lock import locked, locked_at_once

if TYPE_CHECKING:
    from pathlib import Path

ADD = """
import sys
from pathlib import Path
from testbed.errors import InputError
from testbed.records.lock import locked, locked_at_once
folder = Path(sys.argv[1])
for _ in range(200):
    with locked(folder):
        count = folder / "count"
        count.write_text(str(int(count.read_text()) + 1))
"""


def test_several_processes_go_one_after_the_other(tmp_path: Path) -> None:
    """Each reads a number, adds one and writes it: whoever came in between would be lost."""
    (tmp_path / "count").write_text("0")
    children = [subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path)]) for _ in range(4)]
    assert [child.wait() for child in children] == [0] * 4
    assert (tmp_path / "count").read_text() == "800"
    assert [path.name for path in tmp_path.iterdir()] == ["count"]


def test_the_lock_is_given_back_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path):
        raise RuntimeError
    with locked(tmp_path):
        pass


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "nosuch"):
        pass


def test_a_lock_that_another_has_is_refused_where_nobody_waits(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(InputError, match="busy"),
        locked_at_once(tmp_path, "busy"),
    ):
        pass
    with locked_at_once(tmp_path, "busy"), pytest.raises(InputError, match="busy"), locked_at_once(tmp_path, "busy"):
        pass
