"""Folders for work: gone with their owners, and left alone while these are there."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.validation.keeping.aside import remove_abandoned, work_folder

if TYPE_CHECKING:
    from pathlib import Path

WORKS_UNTIL_KILLED = """\
import sys
from pathlib import Path
from testbed.validation.keeping.aside import work_folder
with work_folder(Path(sys.argv[1])) as folder:
    (folder / "file").write_text("half")
    print(flush=True)
    sys.stdin.read()
"""


def test_a_folder_goes_with_the_work_however_that_ends(tmp_path: Path) -> None:
    with work_folder(tmp_path) as folder:
        (folder / "file").write_text("")
    assert not folder.exists()
    with pytest.raises(FileNotFoundError), work_folder(tmp_path) as folder:
        (folder / "never there").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_moved_away_stays_there(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with work_folder(tmp_path / "work") as folder:
        folder.rename(tmp_path / "kept")
    assert (tmp_path / "kept").is_dir()
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o755), (0o007, 0o770), (0o077, 0o700)])
def test_who_may_read_a_folder_is_for_its_owner_to_say(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with work_folder(tmp_path) as folder:
            assert stat.S_IMODE(folder.stat().st_mode) == mode
    finally:
        os.umask(before)


def test_the_folder_of_a_killed_process_is_removed_and_not_before(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORKS_UNTIL_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        remove_abandoned(tmp_path)
        assert [(each / "file").exists() for each in tmp_path.iterdir()] == [True]
        process.send_signal(signal.SIGKILL)
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remove_abandoned(tmp_path)
    assert (tmp_path / "file").exists()
