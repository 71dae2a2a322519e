"""Who the guest's process becomes where root started it, and what it may read then."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import testbed
from testbed.engine.uml import confine

READ_SEARCH, OVERRIDE = 2, 1
DOCKERS = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+mknod"
LOOK = """
import os, sys
from pathlib import Path
from testbed.engine.uml.confine import give_up_privileges, restrict_writes
folder = Path(sys.argv[1])
give_up_privileges(writes_are_refused=True)
restrict_writes([folder / "open"], [])
os.execv(sys.executable, [sys.executable, "-c", '''
import os, sys
print(os.getuid(), os.access(sys.argv[1] + "/closed/file", os.R_OK), open(sys.argv[1] + "/closed/file").read())
for attempt in (lambda path: open(path, "a"), lambda path: os.truncate(path, 0), os.remove):
    try:
        attempt(sys.argv[1] + "/closed/file")
    except PermissionError:
        print("refused")
''', sys.argv[1]])
"""


@pytest.mark.parametrize(
    ("has", "landlock", "writes_are_refused", "kept"),
    [
        ({READ_SEARCH, OVERRIDE}, 3, True, READ_SEARCH),
        ({READ_SEARCH}, 0, False, READ_SEARCH),
        ({OVERRIDE}, 3, True, OVERRIDE),
        ({OVERRIDE}, 2, True, None),  # before Linux 6.2 it lets everybody truncate
        ({OVERRIDE}, 0, True, None),
        ({OVERRIDE}, 3, False, None),
        (set[int](), 3, True, None),
    ],
)
def test_what_is_for_writing_too_is_kept_only_where_landlock_refuses_that(
    monkeypatch: pytest.MonkeyPatch, has: set[int], landlock: int, kept: int | None, *, writes_are_refused: bool
) -> None:
    monkeypatch.setattr(confine, "_may", has.__contains__)
    monkeypatch.setattr(confine, "landlock_version", lambda: landlock)
    assert confine._for_reading(writes_are_refused=writes_are_refused) == kept


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="run as root, with setpriv")
@pytest.mark.skipif(
    confine.landlock_version() < confine._TRUNCATE_SINCE,
    reason="nothing is kept without a Landlock that refuses to truncate; try it on Linux 6.2 or later",
)
def test_a_containers_root_becomes_nobody_who_reads_its_home_and_writes_nothing(tmp_path: Path) -> None:
    """With the capabilities that Docker leaves it."""
    for name, mode in (("open", 0o777), ("closed", 0o700)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    (tmp_path / "closed" / "file").write_text("text")
    (tmp_path / "closed" / "file").chmod(0o600)
    done = subprocess.run(
        ["setpriv", f"--bounding-set={DOCKERS}", "--inh-caps=-all", sys.executable, "-c", LOOK, str(tmp_path)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(testbed.__file__).parent.parent)},
    )  # fmt: skip
    assert done.stdout == f"{confine.GUEST_UID} True text\n" + 3 * "refused\n", done.stderr
