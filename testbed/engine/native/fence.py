"""What namespaces leave open between a guest on the machine's own kernel and the machine, and how it is closed.

    system calls  kinds of sockets that no network namespace holds, such as a virtual machine's line to its host; key
                  rings, which are the user's; io_uring, by which a socket is had without the call for one
    sockets       of the machine's programs: whoever finds one in the file system may connect, whatever network they
                  are in

Not for: the namespaces (boot.py). A socket that a program in another network namespace has bound is not listed for us,
and stays where it is.
"""

from __future__ import annotations

import platform
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from testbed.engine.uml import seccomp

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["cover_sockets", "refuse_system_calls"]

_FAMILIES = (
    socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_ALG,
)  # fmt: skip
_EAFNOSUPPORT = 97
_PATH_FIELD = 7  # of a line of /proc/net/unix: what is bound by name has an eighth


class _Numbers(NamedTuple):
    """How an architecture numbers system calls (linux/audit.h, asm/unistd.h)."""

    architecture: int
    socket: int
    refused: dict[str, int]


_MACHINES = {
    "x86_64": _Numbers(0xC000003E, 41, {
        "add_key": 248, "request_key": 249, "keyctl": 250, "perf_event_open": 298, "bpf": 321, "userfaultfd": 323,
        "io_uring_setup": 425,
    }),
    "aarch64": _Numbers(0xC00000B7, 198, {
        "add_key": 217, "request_key": 218, "keyctl": 219, "perf_event_open": 241, "bpf": 280, "userfaultfd": 282,
        "io_uring_setup": 425,
    }),
}  # fmt: skip


def refuse_system_calls(machine: str | None = None) -> None:
    """From now on this process and its children cannot make the system calls that lead out.

    Args:
        machine: How `platform.machine` calls the processor; None: this one.

    Raises:
        OSError: The kernel takes no filter, or the processor is one whose system calls are not known here.
    """
    machine = platform.machine() if machine is None else machine
    numbers = _MACHINES.get(machine)
    if numbers is None:
        raise OSError(f"the numbers of system calls are known for {' and '.join(_MACHINES)}, not for {machine}")
    seccomp.install(_filter(numbers))


def _filter(numbers: _Numbers) -> list[bytes]:
    program = seccomp.beginning(numbers.architecture)
    for number in numbers.refused.values():
        program += [seccomp.instruction(seccomp.JUMP_EQUAL, number, 0, 1), seccomp.return_error(seccomp.EPERM)]
    families = [seccomp.load(seccomp.ARGUMENTS_AT)]
    for family in _FAMILIES:
        families += [seccomp.instruction(seccomp.JUMP_EQUAL, family, 0, 1), seccomp.ending()]
    families.append(seccomp.return_error(_EAFNOSUPPORT))
    program.append(seccomp.instruction(seccomp.JUMP_EQUAL, numbers.socket, 0, len(families)))
    return [*program, *families, seccomp.ending()]


def cover_sockets(cover: Callable[[str], None], table: Path = Path("/proc/net/unix")) -> None:
    """Hide the sockets that the machine's programs have bound to names in the file system.

    Args:
        cover: Puts something else in the place of a socket. One that we cannot reach nobody here can, and it is left.
        table: What is bound in the network namespace that this process is still in.

    Raises:
        OSError: A socket that can be reached cannot be hidden.
    """
    for line in table.read_text(errors="surrogateescape").splitlines()[1:]:
        fields = line.split(maxsplit=_PATH_FIELD)
        if len(fields) > _PATH_FIELD and fields[_PATH_FIELD].startswith("/") and _is_socket(fields[_PATH_FIELD]):
            cover(fields[_PATH_FIELD])


def _is_socket(path: str) -> bool:
    """Return whether there is a socket that we can reach: it may be gone, be hidden, or be named in another root."""
    try:
        return stat.S_ISSOCK(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False
