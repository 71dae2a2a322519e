"""The programs that run inside the guest: which of them a plan needs, and whether they are here."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING

from testbed.engine.prepare.distribution import installation
from testbed.errors import MissingError
from testbed.traffic.origin import is_nginx

if TYPE_CHECKING:
    from testbed.scenario.plan import Plan

__all__ = ["GUEST_PATH", "GUEST_PROGRAMS", "find_guest_program", "is_too_old", "require_programs"]

GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # as in guest/boot.sh
_ALWAYS = ("mount",)  # with which the guest begins (guest/boot.sh)
_STOCK_LINKS = ("ip", "mnexec", "tc")
GUEST_PROGRAMS = {
    **dict.fromkeys(_ALWAYS, ""),
    "nginx": "the testbed's own server stands in",
    "curl": "the testbed's own client stands in",
    **dict.fromkeys(_STOCK_LINKS, "for 'network: {links: stock}' alone"),
}
"""Each program that a guest may run, and why runs do without it; empty: none does."""
_ANSWER_S = 10.0  # of a program that is asked for its version; on a busy machine it takes a second
_OLDEST_NGINX = (1, 19, 5)  # the first that has the option -e; Ubuntu 22.04 has 1.18


def find_guest_program(name: str) -> str | None:
    """Return where the guest finds a program, or None; an nginx that is too old for our servers is as good as none."""
    path = shutil.which(name, path=GUEST_PATH)
    return None if path is not None and is_too_old(path) else path


def is_too_old(path: str) -> bool:
    """Whether a program that is there has not what the guest asks of it."""
    return PurePath(path).name == "nginx" and _nginx_version(path) < _OLDEST_NGINX


def require_programs(plan: Plan) -> None:
    """Check that the guest will find what the plan makes it run.

    Raises:
        MissingError: What is not there, and the command that installs it.
    """
    needed = set(_ALWAYS)
    if any(map(is_nginx, plan.data["origins"].values())):
        needed.add("nginx")
    if plan.data["topology"]["links"] == "stock":
        needed.update(_STOCK_LINKS)
    if any(transfer["kind"] == "curl" for transfer in plan.transfers):
        needed.add("curl")
    missing = sorted(name for name in needed if find_guest_program(name) is None)
    if missing:
        is_old = "nginx" in missing and shutil.which("nginx", path=GUEST_PATH) is not None
        too_old = " (1.19.5 or later; the one here is older)" if is_old else ""
        raise MissingError(f"not on this machine: {', '.join(missing)}{too_old}; run: {installation(missing)}")


@cache
def _nginx_version(path: str) -> tuple[int, ...]:
    """Return what an nginx says of itself; one that says nothing is taken to be the oldest that will do.

    One that does not end is taken for none: no server of ours could be made of it.
    """
    try:
        said = subprocess.run(
            [path, "-v"], capture_output=True, text=True, errors="replace", check=False, timeout=_ANSWER_S,
            stdin=subprocess.DEVNULL,
        ).stderr  # fmt: skip
    except OSError:
        return _OLDEST_NGINX
    except subprocess.TimeoutExpired:
        return ()
    version = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, version.groups())) if version else _OLDEST_NGINX
