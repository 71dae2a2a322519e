"""Imitates another platform, then runs the command line: what is of Linux alone is not there.

A program: ``python elsewhere.py {Windows,Darwin,Linux} ARGUMENT…``; Linux is one with another processor.
"""

from __future__ import annotations

import os
import platform
import signal
import sys

NOT_ON_WINDOWS = {
    os: "O_NOFOLLOW O_NONBLOCK O_NOCTTY O_CLOEXEC fork geteuid getuid killpg statvfs",
    signal: "SIGHUP SIGQUIT SIGKILL SIGUSR1",
}
OF_LINUX_ALONE = {os: "pidfd_open sched_getaffinity sched_setaffinity"}
MACHINES = {"Windows": "AMD64", "Darwin": "arm64", "Linux": "aarch64"}


def imitate(kind: str) -> None:
    """Take away what a platform has not."""
    absent = ["mininet"] if kind != "Linux" else []
    taken = OF_LINUX_ALONE if kind != "Linux" else {}
    if kind == "Windows":
        absent += ["fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"]
        for module, names in NOT_ON_WINDOWS.items():
            for name in names.split():
                delattr(module, name)
    for module, names in taken.items():
        for name in names.split():
            delattr(module, name)
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails
    platform.system = lambda: kind
    platform.machine = lambda: MACHINES[kind]


if __name__ == "__main__":
    imitate(sys.argv[1])
    from testbed.cli import main

    sys.exit(main(sys.argv[2:]))
