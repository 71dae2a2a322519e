"""Whether a guest can run on a machine of this kind at all, and what else there is to do where it cannot.

Imported everywhere: what it needs is on every platform. Not for: what a machine of the right kind may lack
(prepare/environment.py).
"""

from __future__ import annotations

import platform

from testbed.errors import MissingError

__all__ = ["NO_GUEST_MODULES", "require_host_machine", "runs_guests"]

NO_GUEST_MODULES = frozenset({"fcntl", "grp", "mininet", "pty", "pwd", "resource", "termios", "tty"})
"""Modules that what runs a guest imports, and that are not on every platform."""

_WAYS = (
    "Here runs and captures can be judged and looked at: detect, inspect, report, table, diff, corpus, and with "
    "recorded runs demo and four of the labs. To make runs take an x86-64 Linux machine, or a container or a virtual "
    "machine on one (vagrant up, in the testbed's repository, makes one)"
)


def runs_guests(system: str, machine: str) -> bool:
    """Return whether the guest's kernel is for such a machine."""
    return (system, machine) == ("Linux", "x86_64")


def require_host_machine(what: str = "this") -> None:
    """Refuse at once what needs a guest, where none can run.

    Args:
        what: Needs one.

    Raises:
        MissingError: With the ways that there are.
    """
    system, machine = platform.system(), platform.machine()
    if not runs_guests(system, machine):
        raise MissingError(
            f"{what} needs parts of the guest, which is for x86-64 Linux, and here is {system} {machine}. {_WAYS}"
        )
