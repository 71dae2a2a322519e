"""What a machine must grant before a guest can run on it: checked at the start of a run, and by `testbed doctor`.

A container, a shell's limits or a hardened kernel may deny what a guest needs, and inside the guest that looks like
anything. Each check names what it found and the line to type.

Not for: programs and packages (programs.py, doctor.py), or the kernel's source and tools (kernel/).
"""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import testbed
from testbed.engine.host_machine import runs_guests
from testbed.engine.kernel.cache import user_cache
from testbed.engine.prepare.guest_memory import LEAST_MIB
from testbed.engine.prepare.nearest import nearest
from testbed.engine.uml.confine import cannot_read
from testbed.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "Check",
    "available_memory",
    "check_architecture",
    "check_files",
    "check_memory",
    "check_processes",
    "check_ptrace",
    "check_reading",
    "check_sizes",
    "check_timers",
    "environment_checks",
    "require_environment",
    "require_open_files",
    "require_reading",
]

# The kernel opens each of the guest's files itself, and runs each of the guest's processes in one of the host's. The
# first day needs 40 files and 45 processes, thirty lines need 142 and 160.
OPEN_FILES = 256
_FILES_A_CAPTURE = 3  # more than the host takes, with holes to make
PROCESSES = 256
TIMERS = 16  # the kernel has one, and whatever else the user runs takes of the same number
_KERNEL_MIB = 48  # that the kernel maps beside the guest's memory
_MIB = 1 << 20
_UNLIMITED = resource.RLIM_INFINITY
_XSTATE_MOST_BYTES = 12_288  # room for a processor's registers in our kernel (fpstate.patch)

_FORBIDDEN = "forbidden"

# What the kernel does to each of the guest's processes, done once to a child: say what fails, or nothing.
_ATTEMPT = f"""
import ctypes, os, signal
TRACEME, SYSEMU, GETREGSET, XSTATE = 0, 31, 0x4204, 0x202
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
child = os.fork()
if child == 0:
    if libc.ptrace(TRACEME, 0, None, None):
        os._exit(1)
    os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        os.getppid()
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(65536)
vector = Vector(ctypes.addressof(buffer), len(buffer))
if not os.WIFSTOPPED(os.waitpid(child, 0)[1]):
    print("{_FORBIDDEN}")
elif libc.ptrace(SYSEMU, child, None, None) or not os.WIFSTOPPED(os.waitpid(child, 0)[1]):
    print("without PTRACE_SYSEMU")
elif libc.ptrace(GETREGSET, child, XSTATE, ctypes.byref(vector)) or vector.size > {_XSTATE_MOST_BYTES}:
    print("with registers that our kernel has no room for (%d bytes)" % vector.size)
try:
    os.kill(child, signal.SIGKILL)
except OSError:
    pass
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the testbed needs.

    Args:
        name: What it is.
        ok: Whether this machine has it.
        found: What was found: a version, a path, a number; or what is wrong.
        remedy: The command that mends it; empty where it is ok, or where no command can.
        required: Whether runs fail without it.
        program: The program that is looked for, where it is one: a package has it.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    required: bool = True
    program: str = ""


def environment_checks(*, guest_mib: int = LEAST_MIB) -> Iterator[Check]:
    """Everything that a guest of a given size needs of the machine, cheapest first.

    Args:
        guest_mib: As `testbed.engine.prepare.guest_memory.guest_memory_mib` says.
    """
    yield check_architecture(platform.system(), platform.machine())
    yield check_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    yield check_processes(resource.getrlimit(resource.RLIMIT_NPROC)[0])
    yield check_timers(resource.getrlimit(resource.RLIMIT_SIGPENDING)[0])
    yield check_sizes(
        resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_FSIZE)[0], guest_mib
    )
    yield check_memory(*available_memory(), guest_mib)
    yield check_ptrace()
    yield check_reading([Path(testbed.__file__).parent, Path(sys.base_prefix), nearest(user_cache())])


def require_environment(*, guest_mib: int = LEAST_MIB) -> None:
    """Stop before anything is built or created where the machine does not let a guest run.

    Args:
        guest_mib: As `testbed.engine.prepare.guest_memory.guest_memory_mib` says.

    Raises:
        MissingError: What is denied, and the line to type.
    """
    for check in environment_checks(guest_mib=guest_mib):
        _require(check)


def _require(check: Check) -> None:
    if check.required and not check.ok:
        remedy = f"; mend with: {check.remedy}" if check.remedy else ""
        raise MissingError(f"{check.name}: {check.found}{remedy}")


def require_open_files(captures: int) -> None:
    """Stop before anything is made where a run has more capture files than a process may have open here.

    Args:
        captures: How many a run has at once. The guest writes them, and the host reads them and makes holes in them.

    Raises:
        MissingError: What is allowed and what it takes, and the line to type.
    """
    check = check_files(resource.getrlimit(resource.RLIMIT_NOFILE)[1], OPEN_FILES + _FILES_A_CAPTURE * captures)
    if not check.ok:
        raise MissingError(f"{check.name}: {check.found} with {captures} captures; mend with: {check.remedy}")


def check_architecture(system: str, machine: str) -> Check:
    """Check the machine: the guest's kernel runs on x86-64 Linux only."""
    ok = runs_guests(system, machine)
    return Check("machine", ok, f"{system} {machine}" + ("" if ok else ", and our kernel runs on Linux x86_64 only"))


def require_reading(folder: Path) -> None:
    """Stop before anything is made where the guest's process could not go to the run directory.

    Raises:
        MissingError: As `require_environment`.
    """
    _require(check_reading([nearest(folder)]))


def check_reading(paths: Sequence[Path]) -> Check:
    """Check that whoever the guest runs as may read what it is made of."""
    closed = cannot_read(paths)
    found = f"{closed[0]} is closed to nobody, whom a guest that root starts runs as" if closed else "open to a guest"
    remedy = "another user than root (in a container: --user=1000, or --cap-add=DAC_READ_SEARCH)"
    return Check("reading", not closed, found, remedy if closed else "")


def check_files(limit: int, needed: int = OPEN_FILES) -> Check:
    """Open files, as far as the limit may be raised."""
    ok = limit == _UNLIMITED or limit >= needed
    found = f"{_limit(limit)} allowed" + ("" if ok else f", a guest needs {needed}")
    remedy = f"ulimit -Hn {needed} (in a container: --ulimit nofile={max(needed, 4096)})"
    return Check("open files", ok, found, "" if ok else remedy)


def check_processes(limit: int) -> Check:
    """Processes of the user's."""
    ok = limit == _UNLIMITED or limit >= PROCESSES
    found = f"{_limit(limit)} allowed" + ("" if ok else f", a guest needs {PROCESSES}")
    return Check("processes", ok, found, "" if ok else f"ulimit -u {PROCESSES} (in a container: --pids-limit=1024)")


def check_timers(limit: int) -> Check:
    """Signals that may wait for the user's processes: each timer takes one (timer_create(2)), and our clock is one."""
    ok = limit == _UNLIMITED or limit >= TIMERS
    found = f"{_limit(limit)} allowed, as pending signals" + ("" if ok else f", a guest needs {TIMERS}")
    return Check("timers", ok, found, "" if ok else f"ulimit -i {TIMERS}")


def check_sizes(address_space: int, file_size: int, guest_mib: int) -> Check:
    """Check the memory: the guest's is one file that lies in no folder, mapped into one process."""
    needed = (guest_mib + _KERNEL_MIB) * _MIB
    for what, limit, letter in (("address space", address_space, "v"), ("size of a file", file_size, "f")):
        if limit != _UNLIMITED and limit < needed:
            found = f"the {what} is limited to {limit // _MIB} MiB, this guest needs {needed // _MIB} MiB"
            return Check("size limits", ok=False, found=found, remedy=f"ulimit -{letter} unlimited")
    return Check("size limits", ok=True, found=f"room for {guest_mib} MiB")


def check_memory(free_bytes: int, where: str, guest_mib: int) -> Check:
    """Memory for the guest, here and now.

    Args:
        free_bytes: What a process may still take.
        where: What limits it.
        guest_mib: What the guest may take.
    """
    ok = free_bytes >= guest_mib * _MIB
    found = f"{free_bytes // _MIB} MiB free {where}" + ("" if ok else f", this guest needs {guest_mib} MiB")
    remedy = "" if ok else "end other programs, raise the limit, or run fewer lines, captures and bytes"
    return Check("guest memory", ok, found, remedy)


def check_ptrace() -> Check:
    """Try ptrace, under which the kernel runs the guest's programs, and which some containers forbid."""
    attempt = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _ATTEMPT], capture_output=True, text=True, check=False
    )  # fmt: skip
    problem = attempt.stdout.strip() if attempt.returncode == 0 else _FORBIDDEN
    return Check("ptrace", not problem, problem or "allowed", _ptrace_remedy(problem) if problem else "")


def _ptrace_remedy(problem: str) -> str:
    """Return what helps: who is forbidden ptrace can be allowed it, a kernel or a processor has what it has."""
    if problem == _FORBIDDEN:
        return "sudo sysctl kernel.yama.ptrace_scope=1 (in a container: start it with --cap-add=SYS_PTRACE)"
    return "testbed run --engine native, or use another machine"


def available_memory(root: Path = Path("/")) -> tuple[int, str]:
    """Return bytes that may still be used, and what limits them: the machine or a control group.

    Args:
        root: Of the file system, for tests.
    """
    candidates = [(_free_of_machine(root / "proc/meminfo"), "on this machine")]
    for limit_file, used_file in _memory_groups(root):
        try:
            limit, used = limit_file.read_text().strip(), int(used_file.read_text())
            used -= _reclaimable(limit_file.with_name("memory.stat"))
        except (OSError, ValueError):
            continue
        if limit.isdecimal():
            candidates.append(
                (max(0, int(limit) - used), f"under the limit of {int(limit) // _MIB} MiB in {limit_file}")
            )
    return min(candidates)


def _reclaimable(statistics: Path) -> int:
    """Return bytes that a group's kernel gives up when asked: pages of files that nobody has used lately."""
    return sum(
        int(value)
        for name, value in (line.split() for line in statistics.read_text().splitlines())
        if name in {"inactive_file", "total_inactive_file"}
    )


def _free_of_machine(meminfo: Path) -> int:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    raise MissingError(f"{meminfo} does not say what is available; mount it with: mount -t proc proc /proc")


def _memory_groups(root: Path) -> Iterator[tuple[Path, Path]]:
    """Limit and use of every control group that this process is in, of either version."""
    try:
        memberships = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for membership in memberships:
        number, controllers, path = membership.split(":", 2)
        if number == "0":
            mount, names = root / "sys/fs/cgroup", ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            mount, names = root / "sys/fs/cgroup/memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        # In a container the path is often one of the host's; the group itself is then at the mount.
        for folder in _upwards(path.strip("/").split("/") if path.strip("/") else []):
            yield mount.joinpath(*folder, names[0]), mount.joinpath(*folder, names[1])


def _upwards(parts: Sequence[str]) -> Iterator[Sequence[str]]:
    for length in range(len(parts), -1, -1):
        yield parts[:length]


def _limit(value: int) -> str:
    return "any number" if value == _UNLIMITED else str(value)
