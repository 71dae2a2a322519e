"""Whoever is root in the guest of the engine `native` has no more rights over the machine than its user has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.engine.native.boot import main
from testbed.engine.native.probe import native_checks
from testbed.engine.uml.confine import give_up_privileges, guest_identity

ROOT = Path(__file__).resolve().parents[3]


def test_the_machine_is_out_of_reach(tmp_path: Path) -> None:
    allowed = next(iter(native_checks()))
    if not allowed.ok:
        pytest.skip(f"{allowed.name}: {allowed.found}; {allowed.remedy}")
    for name in ("kernel", "output", "output/code"):
        (tmp_path / name).mkdir()
    ours, theirs = os.openpty()
    for place in (tmp_path, tmp_path / "output", tmp_path / "kernel", theirs):
        os.chown(place, *guest_identity())
    command = [sys.executable, "-m", "testbed.engine.native.boot", str(theirs), "tests.engine.native.inside"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, pass_fds=[theirs], capture_output=True, text=True,
        check=False, preexec_fn=give_up_privileges,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "lo" in found.pop("links")
    assert found.pop("processes") == [1]
    assert found == {
        "clock": "PermissionError", "remount": "PermissionError", "write": "OSError", "kernel": "OSError",
        "panic": "OSError", "network": "done", "output": "done", "name": "localhost", "name servers": "",
    }  # fmt: skip
    assert (tmp_path / "output" / "written").exists()
    assert not (ROOT / "tests" / "engine" / "native" / "written").exists()


def test_the_machines_own_root_is_refused_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a namespace was made")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("testbed.engine.native.boot.unshare", never)
    with pytest.raises(SystemExit, match="nothing was done"):
        main()
