"""How a program is installed on this machine: the line to type, in the words of the distribution's package manager.

Debian, Ubuntu, Fedora, Arch, Alpine, and what says of itself that it is like one of them (os-release(5)). On any other
system the programs are named, and how to install them is left to who knows it.
"""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Distribution", "installation", "this_distribution"]

_OS_RELEASE = (Path("/etc/os-release"), Path("/usr/lib/os-release"))


@dataclass(frozen=True, slots=True)
class Distribution:
    """A family of distributions.

    Args:
        name: As os-release has it.
        command: What installs packages; their names follow.
        packages: The packages that have a program, where their name is another one; empty: there is none.
    """

    name: str
    command: str
    packages: Mapping[str, str]

    def packages_of(self, programs: Iterable[str]) -> tuple[list[str], list[str]]:
        """Return the packages that have some programs, and those programs that no package has; both sorted."""
        found: set[str] = set()
        absent = []
        for program in programs:
            packages = self.packages.get(program, program).split()
            found.update(packages)
            absent += [] if packages else [program]
        return sorted(found), sorted(absent)


_DEBIAN = Distribution(
    "debian",
    "apt-get install",
    {
        "gcc": "gcc libc6-dev", "ip": "iproute2", "ld": "binutils", "mnexec": "mininet", "nginx": "nginx-light",
        "tc": "iproute2", "xz": "xz-utils",
    },
)  # fmt: skip
_KNOWN = {
    each.name: each
    for each in (
        _DEBIAN,
        Distribution(
            "fedora",
            "dnf install",
            {
                "gcc": "gcc glibc-devel", "ip": "iproute", "ld": "binutils", "mnexec": "", "mount": "util-linux",
                "tc": "iproute-tc",
            },
        ),
        Distribution(
            "arch",
            "pacman -S --needed",
            {
                "ip": "iproute2", "ld": "binutils", "mnexec": "", "mount": "util-linux", "python3": "python",
                "tc": "iproute2",
            },
        ),
        Distribution(
            "alpine",
            "apk add",
            {
                "gcc": "gcc musl-dev", "ip": "iproute2", "ld": "binutils", "mnexec": "", "mount": "util-linux",
                "tc": "iproute2",
            },
        ),
    )
}  # fmt: skip


def this_distribution(files: Iterable[Path] = _OS_RELEASE) -> Distribution | None:
    """Return the family that this system is of; None: it is of none that is known here.

    Args:
        files: The first that is there is read.
    """
    for file in files:
        try:
            text = file.read_text(errors="replace")
        except OSError:
            continue
        said = _fields(text)
        # What a distribution is comes before what it is like: Ubuntu says that it is like Debian.
        names = [said.get("ID", ""), *said.get("ID_LIKE", "").split()]
        return next((_KNOWN[name] for name in names if name in _KNOWN), None)
    return None


def installation(programs: Iterable[str]) -> str:
    """Return the line to type that installs some programs, or in words what is to be installed."""
    wanted = sorted(set(programs))
    distribution = this_distribution()
    if distribution is None:
        return f"install with this system's package manager: {', '.join(wanted)}"
    packages, absent = distribution.packages_of(wanted)
    line = f"{_as_root()}{distribution.command} {' '.join(packages)}" if packages else ""
    left = f"no package of this system has {', '.join(absent)}" if absent else ""
    return "; ".join(each for each in (line, left) if each)


def _as_root() -> str:
    """Return what stands before a command that only root may give; a bare system has no sudo."""
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return ""
    return "sudo " if shutil.which("sudo") else "as root: "


def _fields(text: str) -> dict[str, str]:
    """Read ``NAME=value`` lines; a value may be quoted as a shell quotes."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        try:
            found[name] = "".join(shlex.split(value)[:1])
        except ValueError:  # a quote that is not closed
            found[name] = value.strip("\"'")
    return found
