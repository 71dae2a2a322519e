from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.records.lock import locked

if TYPE_CHECKING:
    from pathlib import Path

ADD = """
import sys
from pathlib import Path
from testbed.records.lock import locked
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


def test_who_does_not_want_to_wait_need_not(tmp_path: Path) -> None:
    def give_up() -> None:
        raise RuntimeError("busy")

    for _ in range(2):  # free again after the block
        with locked(tmp_path, when_busy=give_up), pytest.raises(RuntimeError, match="busy"):  # noqa: SIM117
            with locked(tmp_path, when_busy=give_up):
                pass


def test_who_waits_says_so_once_and_goes_on(tmp_path: Path) -> None:
    holder = (
        "import fcntl, os, sys; f = os.open(sys.argv[1], os.O_RDONLY); fcntl.flock(f, 2); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        waited: list[str] = []

        def release() -> None:
            waited.append("waiting")
            process.communicate(b"\n")

        with locked(tmp_path, when_busy=release):
            pass
    assert waited == ["waiting"]


def test_where_there_are_no_locks_work_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with locked(tmp_path, when_busy=lambda: pytest.fail("nobody can be waited for")), locked(tmp_path):
        (tmp_path / "done").touch()
    assert (tmp_path / "done").exists()
