"""What every first process of a guest does here: mount, report, switch off."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_POWER_OFF = 0x4321FEDC
_MOUNTS = {"proc": "/proc", "sysfs": "/sys", "tmpfs": "/run", "devtmpfs": "/dev"}


def mount() -> None:
    """Mount what programs look into."""
    for kind, folder in _MOUNTS.items():
        subprocess.run(["mount", "-t", kind, kind, folder], check=True)
    Path("/dev/stdin").symlink_to("/proc/self/fd/0")  # some versions of nft open it where they are told to read `-`


def answer(questions: Mapping[str, Callable[[], object]]) -> None:
    """Print the answer to each question, then switch the guest off."""
    try:
        for name, ask in questions.items():
            sys.stdout.write(f"report {name} {ask()}\n")
    except Exception:  # noqa: BLE001 - a first process that ends is a panic of the kernel
        traceback.print_exc(file=sys.stdout)
    sys.stdout.flush()
    ctypes.CDLL(None).reboot(_POWER_OFF)
