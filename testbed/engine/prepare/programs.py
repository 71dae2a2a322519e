"""The programs that run inside the guest, and the Debian package that has each."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from testbed.errors import MissingError
from testbed.traffic.origin import is_nginx

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.scenario.plan import Plan

__all__ = ["GUEST_PATH", "GUEST_PROGRAM_PACKAGES", "find_guest_program", "require_programs"]

GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # as in guest/boot.sh
GUEST_PROGRAM_PACKAGES = {
    "curl": "curl",
    "ip": "iproute2",
    "mnexec": "mininet",
    "nginx": "nginx-light",
    "tc": "iproute2",
}
_STOCK_LINKS = {"ip", "mnexec", "tc"}


def find_guest_program(name: str) -> str | None:
    """Return where the guest finds a program, or None."""
    return shutil.which(name, path=GUEST_PATH)


def require_programs(plan: Plan) -> None:
    """Check that the guest will find what the plan makes it run.

    Raises:
        MissingError: What is not there, and the command that installs it.
    """
    needed = set()
    if any(map(is_nginx, plan.data["origins"].values())):
        needed.add("nginx")
    if plan.data["topology"]["links"] == "stock":
        needed |= _STOCK_LINKS
    if any(transfer["kind"] == "curl" for transfer in plan.transfers):
        needed.add("curl")
    missing = sorted(name for name in needed if find_guest_program(name) is None)
    if missing:
        raise MissingError(f"not on this machine: {', '.join(missing)}; run: {_installation(missing)}")


def _installation(names: Iterable[str]) -> str:
    return f"sudo apt-get install {' '.join(sorted({GUEST_PROGRAM_PACKAGES[name] for name in names}))}"
