"""Boots the kernel with a Python program as its first process, without the rest of the testbed.

Not for: runs of a scenario, which `tests.conftest` makes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
PROGRAMS = Path(__file__).parent / "programs"
START_NS = 1_615_363_200_000_000_000
_MEMORY_MIB = 256
_PATIENCE_S = 120.0


def guest_command(kernel: Path, folder: Path, program: str) -> list[str]:
    """The command that boots, runs one of `PROGRAMS` in virtual time, and ends when the program switches the guest off.

    Args:
        kernel: the binary.
        folder: for the kernel's own files; its path must be short, as it becomes the name of a socket.
        program: name of the program, without its suffix.
    """
    return [
        str(kernel), f"mem={_MEMORY_MIB}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
        "con=null", "con0=null,fd:1", "ssl=null", f"uml_dir={folder}/", "umid=g", "quiet", "norandmaps",
        "emulation_seed=1", "time-travel=inf-cpu", f"time-travel-start={START_NS}",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"PYTHONPATH={REPOSITORY}", "PYTHONDONTWRITEBYTECODE=1",
        f"init={sys.executable}", "--", str(PROGRAMS / f"{program}.py"),
    ]  # fmt: skip


def run_in_guest(kernel: Path, folder: Path, program: str) -> dict[str, str]:
    """What the program reported: values by name."""
    done = subprocess.run(
        guest_command(kernel, folder, program),
        env={"HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=True,
    )
    reports = [line.split(" ", 2) for line in done.stdout.splitlines() if line.startswith("report ")]
    assert reports, done.stdout
    return {name: value for _, name, value in reports}
