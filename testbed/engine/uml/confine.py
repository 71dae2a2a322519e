"""What the guest's process may do on the host: write below one folder, as nobody, and nothing that changes the machine.

The guest mounts the host's files read-only, but whoever is root in the guest could mount them again for writing. Three
fences of the host's kernel stand around that, none of which needs a privilege to set up:

    Landlock    refuses every write, creation and removal outside a few folders, and TCP connections
    seccomp     refuses what Landlock does not cover: devices, mounts, sockets of the network, other people's clocks …
    privileges  a testbed that is started as root gives up being root, but for reading where only root may

Sources: Documentation/userspace-api/landlock.rst and seccomp_filter.rst in the kernel tree; capabilities(7).
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.engine.uml import seccomp

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "GUEST_UID",
    "cannot_read",
    "die_with_parent",
    "give_up_privileges",
    "guest_identity",
    "landlock_version",
    "raise_limits",
    "refuse_system_calls",
    "restrict_writes",
]

GUEST_UID = 65_534  # nobody, on every distribution: the guest of a testbed that root started
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, the same on every architecture
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_SECUREBITS, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = (
    1, 8, 28, 38, 47,
)  # fmt: skip
_NO_SETUID_FIXUP = (
    1 << 2
)  # without it, access(2) takes no heed of the capability that is kept, and hostfs asks access(2)
_PR_CAP_AMBIENT_RAISE = 2
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_MAKE_AND_REMOVE = sum(1 << bit for bit in range(4, 13))  # REMOVE_DIR … MAKE_SYM
_TRUNCATE_SINCE, _NETWORK_SINCE = 3, 4
_BIND_AND_CONNECT = 0b11  # TCP
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_TO_BECOME_NOBODY = (0, 6, 7)  # CAP_CHOWN, CAP_SETGID, CAP_SETUID

_LOOK = "import os, sys; print(*(n for n, path in enumerate(sys.argv[1:]) if not os.access(path, os.R_OK)))"

_AUDIT_ARCH_X86_64 = 0xC000003E
_AND = 0x54
_NO_ERROR = 0
_TYPE_OF_FILE, _CHARACTER_DEVICE, _BLOCK_DEVICE = 0o170000, 0o020000, 0o060000
_AF_UNIX = 1
_MKNOD, _MKNODAT, _SOCKET = 133, 259, 41

# Modes, owners and times of the host's files stay as they are. The guest is told that it succeeded, since programs that
# copy a file set them and would fail over it (x86-64 numbers; arch/x86/entry/syscalls/syscall_64.tbl).
_WITHOUT_EFFECT = {
    "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "utime": 132, "utimes": 235, "fchownat": 260,
    "futimesat": 261, "fchmodat": 268, "utimensat": 280, "fchmodat2": 452,
}  # fmt: skip
_REFUSED = {
    "syslog": 103, "pivot_root": 155, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165,
    "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172,
    "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179, "setxattr": 188, "lsetxattr": 189,
    "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "clock_settime": 227,
    "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272, "perf_event_open": 298,
    "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308, "process_vm_writev": 311, "finit_module": 313,
    "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsmount": 432, "mount_setattr": 442,
}  # fmt: skip


def landlock_version() -> int:
    """Return the version that the host's kernel speaks; 0 where Landlock is absent or switched off."""
    version: int = ctypes.CDLL(None, use_errno=True).syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    return max(version, 0)


def restrict_writes(folders: Sequence[Path], files: Sequence[Path]) -> None:
    """From now on this process and its children write only there, and open no TCP connection.

    Meant for the moment between fork and exec. Does nothing where Landlock is absent.

    Args:
        folders: Everything below them may be written, made and removed.
        files: May be written.

    Raises:
        OSError: Landlock is there and refused.
    """
    version = landlock_version()
    if version == 0:
        return
    truncate = _TRUNCATE if version >= _TRUNCATE_SINCE else 0
    handled = _WRITE_FILE | _MAKE_AND_REMOVE | truncate
    attributes = (
        struct.pack("=QQ", handled, _BIND_AND_CONNECT) if version >= _NETWORK_SINCE else struct.pack("=Q", handled)
    )
    libc = ctypes.CDLL(None, use_errno=True)
    ruleset = _call(libc, _CREATE_RULESET, attributes, len(attributes), 0)
    for paths, access in ((folders, handled), (files, _WRITE_FILE | truncate)):
        for path in paths:
            parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
            _call(libc, _ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", access, parent), 0)
            os.close(parent)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _call(libc, _RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def refuse_system_calls() -> None:
    """From now on this process and its children cannot make the system calls that the module names.

    Raises:
        OSError: The kernel refused the filter.
    """
    if platform.machine() != "x86_64":
        return  # nothing of ours runs there, and the numbers differ
    seccomp.install(_filter())


def _filter() -> list[bytes]:
    """The BPF program."""
    jump, refuse = seccomp.JUMP_EQUAL, seccomp.return_error(seccomp.EPERM)
    program = seccomp.beginning(_AUDIT_ARCH_X86_64)
    for number in _REFUSED.values():
        program += [seccomp.instruction(jump, number, 0, 1), refuse]
    for number in _WITHOUT_EFFECT.values():
        program += [seccomp.instruction(jump, number, 0, 1), seccomp.return_error(_NO_ERROR)]
    for number, mode_argument in ((_MKNOD, 1), (_MKNODAT, 2)):
        devices = [
            seccomp.load(seccomp.ARGUMENTS_AT + 8 * mode_argument),
            seccomp.instruction(_AND, _TYPE_OF_FILE),
            seccomp.instruction(jump, _CHARACTER_DEVICE, 0, 1), refuse,
            seccomp.instruction(jump, _BLOCK_DEVICE, 0, 1), refuse,
            seccomp.ending(),
        ]  # fmt: skip
        program += [seccomp.instruction(jump, number, 0, len(devices)), *devices]
    program += [seccomp.instruction(jump, _SOCKET, 0, 3), seccomp.load(seccomp.ARGUMENTS_AT)]
    return [*program, seccomp.instruction(jump, _AF_UNIX, 1, 0), refuse, seccomp.ending()]


def guest_identity() -> tuple[int, int]:
    """User and group that the guest runs as: the caller's, or nobody where the caller is root and can be nobody.

    A container's root may lack the capabilities for that, or its user namespace may not know nobody.
    """
    if os.geteuid() != 0 or not all(map(_may, _TO_BECOME_NOBODY)):
        return os.geteuid(), os.getegid()
    known = all(_is_mapped(Path("/proc/self", name), GUEST_UID) for name in ("uid_map", "gid_map"))
    return (GUEST_UID, GUEST_UID) if known else (os.geteuid(), os.getegid())


def _may(capability: int) -> bool:
    capabilities = next(
        int(line.split()[1], 16)
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("CapEff")
    )
    return bool(capabilities >> capability & 1)


def _for_reading(*, writes_are_refused: bool) -> int | None:
    """Return the capability that is kept for reading where only root may; None: there is none.

    Docker's root has but the one that is for writing, too. It will do where Landlock refuses to write and to truncate.
    """
    if _may(_CAP_DAC_READ_SEARCH):
        return _CAP_DAC_READ_SEARCH
    is_held = writes_are_refused and landlock_version() >= _TRUNCATE_SINCE
    return _CAP_DAC_OVERRIDE if is_held and _may(_CAP_DAC_OVERRIDE) else None


def cannot_read(paths: Sequence[Path]) -> list[Path]:
    """List those of some paths that the guest's process may not read, and its interpreter if it may not even be run.

    A container's root may have no capability that could be kept for reading, and its home is closed to nobody.
    """
    if guest_identity()[0] == os.geteuid() or _for_reading(writes_are_refused=True) is not None:
        return []
    try:
        found = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LOOK, *map(os.fspath, paths)],
            capture_output=True, text=True, check=True, cwd="/",
            preexec_fn=give_up_privileges,
        )  # fmt: skip
    except OSError:
        return [Path(sys.executable)]
    return [paths[int(index)] for index in found.stdout.split()]


def _is_mapped(path: Path, number: int) -> bool:
    """Whether a user namespace knows a user or group (user_namespaces(7): first inside, first outside, how many)."""
    spans = [tuple(map(int, line.split())) for line in path.read_text().splitlines()]
    return any(first <= number < first + count for first, _, count in spans)


def give_up_privileges(*, writes_are_refused: bool = False) -> None:
    """Become who `guest_identity` says, for good, but for reading and searching where only root may.

    Args:
        writes_are_refused: `restrict_writes` comes next.

    Raises:
        OSError: The kernel refused.
    """
    uid, gid = guest_identity()
    if uid == os.geteuid():
        return
    reading = _for_reading(writes_are_refused=writes_are_refused)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0)  # a container's root may lack what that takes
    _prctl(libc, _PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    mask = 0 if reading is None else 1 << reading
    libc.capset(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), struct.pack("=6I", mask, mask, mask, 0, 0, 0))
    if reading is not None:
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, reading, 0, 0)


def die_with_parent() -> None:
    """Be killed when the parent ends. A change of user forgets it, so it comes after that."""
    _prctl(ctypes.CDLL(None, use_errno=True), _PR_SET_PDEATHSIG, signal.SIGKILL)


def raise_limits() -> None:
    """Take as many open files as the host allows, and leave no core dumps."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option} was refused: {os.strerror(code)}")


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes) -> int:
    result: int = libc.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock refused: {os.strerror(code)}")
    return result
