"""Whether a guest can run on a machine of this kind at all, and what else there is to do where it cannot.

Imported everywhere: what it needs is on every platform. Not for: what a machine of the right kind may lack
(prepare/environment.py).
"""

from __future__ import annotations

import platform

from testbed.errors import MissingError

__all__ = ["NO_GUEST_MODULES", "guest_problem", "require_host_machine", "runs_guests"]

NO_GUEST_MODULES = frozenset({"fcntl", "grp", "mininet", "pty", "pwd", "resource", "termios", "tty"})
"""Modules that what runs a guest imports, and that are not on every platform."""

_WAYS = (
    "Here runs and captures can be judged and looked at: detect, inspect, report, table, diff, corpus, and with "
    "recorded runs demo and four of the labs. To make runs take an x86-64 Linux machine, or a container or a virtual "
    "machine on one (vagrant up, in the testbed's repository, makes one)"
)
_ON_LINUX = (
    "; or try --engine native, which needs no guest but much of this machine's own kernel, and says what is missing"
)


def runs_guests(system: str, machine: str) -> bool:
    """Return whether the guest's kernel is for such a machine."""
    return (system, machine) == ("Linux", "x86_64")


def guest_problem() -> str | None:
    """Return why no guest can run on this platform; None: one can, or could once something is installed."""
    system, machine = platform.system(), platform.machine()
    if runs_guests(system, machine):
        return None
    return f"no guest runs on {system} {machine}, but on Linux x86_64 alone"


def require_host_machine(what: str = "this") -> None:
    """Refuse at once what needs a guest, where none can run.

    Args:
        what: Needs one.

    Raises:
        MissingError: With the ways that there are.
    """
    if guest_problem() is not None:
        raise MissingError(
            f"{what} needs parts of the guest, which is for x86-64 Linux, and here is "
            f"{platform.system()} {platform.machine()}. {_WAYS}{_ON_LINUX if platform.system() == 'Linux' else ''}"
        )
