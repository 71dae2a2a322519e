"""The agent on the machine's own kernel, in namespaces: it sets no clock, powers nothing off, and ends like a program.

Not for: our own kernel, where `testbed.guest.agent` is the first program.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from pathlib import Path

from testbed.errors import GuestError
from testbed.guest.agent import serve

__all__ = ["begin", "main", "require_namespaces"]

_EVERYBODY = 4_294_967_295


def require_namespaces(proc: Path = Path("/proc")) -> None:
    """Check that this process is the first one of a guest in namespaces.

    In a user namespace of its own, root has no right over the machine: the kernel itself refuses the clock, the power
    and every network that is not the namespace's. A map of everybody is the first user namespace's, which is the
    machine itself.

    Raises:
        GuestError: It is not; the message says by what that was seen.
    """
    counts = [int(line.split()[2]) for line in (proc / "self" / "uid_map").read_text().splitlines()]
    signs = {
        f"this is process {os.getpid()}, not the first one": os.getpid() == 1,
        "this is the machine's own user namespace": bool(counts) and max(counts) < _EVERYBODY,
    }
    missing = [sign for sign, is_there in signs.items() if not is_there]
    if missing:
        raise GuestError(f"here is no guest of the testbed's ({'; '.join(missing)}): nothing was done; use testbed run")


def begin() -> None:
    """Check where we are, and let no program that is started from here have a descriptor of ours: one is the host's.

    Raises:
        GuestError: This is no guest of ours; nothing has been done.
    """
    require_namespaces()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        with contextlib.suppress(OSError):  # of the folder itself, which is closed by now
            if int(name) > sys.stderr.fileno():
                fcntl.fcntl(int(name), fcntl.F_SETFD, fcntl.FD_CLOEXEC)


def main() -> None:
    """Run the plan that the host has put into the guest's folder, then end.

    Raises:
        GuestError: This is no guest of ours; nothing has been done.
    """
    begin()
    serve(lambda: os._exit(0))


if __name__ == "__main__":
    main()
