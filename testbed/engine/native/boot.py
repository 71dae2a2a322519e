"""Makes the guest of the engine `native`: namespaces, what is mounted in them, and then the agent takes this process.

    user namespace    root inside is nobody outside: the kernel refuses it the machine's clock, its power, its addresses
      mounts          the machine's files, read-only; /run, /dev, /proc of the guest's own
      processes       all end with the first one
      user namespace  once more: whoever is root here cannot undo what was made read-only before (mount_namespaces(7))
        network       nothing of the machine's

What these leave open is closed by fence.py.

A program: ``python -m testbed.engine.native.boot DESCRIPTOR MODULE``, in the guest's folder; the descriptor is the
terminal that the agent, which the module is, speaks to the host by.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import sys
from pathlib import Path

from testbed.engine.native.fence import cover_sockets, refuse_system_calls
from testbed.engine.prepare.guest_code import DISTUTILS

__all__ = ["enter_user_namespace", "main", "unshare"]

NEW_MOUNTS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NET = (
    0x0002_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
)  # fmt: skip
_MS_RDONLY, _MS_BIND, _MS_MOVE, _MS_REC, _MS_PRIVATE = 0x1, 0x1000, 0x2000, 0x4000, 0x4_0000
_PR_SET_PDEATHSIG = 1
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 0x1
_NO_SUID, _NO_DEVICES = 0x2, 0x4
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICES_OF_SOME = ("net/tun",)  # of machines that have the module
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones. Raises OSError."""
    if _libc.unshare(flags):
        _fail("namespaces cannot be made")


def enter_user_namespace(more: int) -> None:
    """Become root of a new user namespace, and of other new namespaces that belong to it. Raises OSError."""
    user, group = os.geteuid(), os.getegid()
    unshare(NEW_USER | more)
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")  # or an unprivileged process may map no group (user_namespaces(7))
    (own / "uid_map").write_text(f"0 {user} 1")
    (own / "gid_map").write_text(f"0 {group} 1")


def main() -> None:
    """Make the guest; return never."""
    if os.geteuid() == 0:
        # Files of /proc ask who somebody is outside, and let root write what is the machine's.
        sys.exit("the machine's own root has more rights than a guest may have: nothing was done; use testbed run")
    terminal, module = os.ttyname(int(sys.argv[1])), sys.argv[2]
    enter_user_namespace(NEW_MOUNTS | NEW_PIDS | NEW_IPC | NEW_UTS)
    first = os.fork()
    if first:
        _, status = os.waitpid(first, 0)
        sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _mount_all(terminal)
    enter_user_namespace(NEW_MOUNTS | NEW_NET)
    refuse_system_calls()
    environment = {
        "PATH": _PATH, "HOME": "/run/tmp", "TMPDIR": "/run/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC",
        "OPENSSL_CONF": "/run/output/etc/openssl.cnf", "PYTHONHASHSEED": "0", "PYTHONPATH": os.environ["PYTHONPATH"],
        "SETUPTOOLS_USE_DISTUTILS": DISTUTILS,
    }  # fmt: skip
    program = [sys.executable, "-s", "-B", "-W", "ignore", "-m", module]
    os.execve(sys.executable, program, environment)  # noqa: S606 - it is to be this process: the first one


def _mount_all(terminal: str) -> None:
    """Show the machine's files read-only, and the folders of the guest's own in their places."""
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    # No devices: those of the guest are /dev. No set-user-ID: a program that has it loses what a node's are given.
    _restrict("/", _READ_ONLY | _NO_SUID | _NO_DEVICES, below=True)
    # Made in the guest's folder and moved last: what is bound may lie in the machine's /run, which is hidden then.
    _mount("tmpfs", "kernel", "tmpfs", 0, "mode=755")
    new = Path("kernel")
    for name in ("tmp", "lock", "output", "dev", "testbed"):
        (new / name).mkdir()
    _mount("output", "kernel/output", "", _MS_BIND)
    _allow("kernel/output", _READ_ONLY)
    (new / "testbed" / "code").mkdir()
    _mount("output/code", "kernel/testbed/code", "", _MS_BIND)
    # One with nothing over any part of it: the kernel lets a program of the user's have a new one only beside that.
    (new / "proc").mkdir()
    _mount("proc", "kernel/proc", "proc", _MS_RDONLY)
    _make_devices(new / "dev", terminal)
    _mount("kernel/dev", "/dev", "", _MS_MOVE)
    _mount("kernel", "/run", "", _MS_MOVE)
    _forget_names(Path("/run/testbed/nothing"))
    cover_sockets(lambda path: _mount("/dev/null", path, "", _MS_BIND))
    _make_proc()
    os.chdir("/run/tmp")


def _forget_names(nothing: Path) -> None:
    """Take the machine's name and its name servers: who asks for either would ask across the emulated network."""
    socket.sethostname("localhost")
    nothing.touch()
    servers = os.path.realpath("/etc/resolv.conf")
    if Path(servers).is_file():  # it may lie in the machine's /run, which is hidden
        _mount(str(nothing), servers, "", _MS_BIND)


def _make_proc() -> None:
    """Show the guest's processes, and of the kernel's parameters those of its networks alone as writable."""
    _mount("proc", "/proc", "proc", 0)
    _mount("/proc/sys", "/proc/sys", "", _MS_BIND)
    _restrict("/proc/sys", _READ_ONLY)
    _mount("/proc/sys/net", "/proc/sys/net", "", _MS_BIND)
    _allow("/proc/sys/net", _READ_ONLY)
    if Path("/proc/sysrq-trigger").exists():
        _mount("/dev/null", "/proc/sysrq-trigger", "", _MS_BIND)


def _make_devices(folder: Path, terminal: str) -> None:
    _mount("tmpfs", str(folder), "tmpfs", 0, "mode=755")
    names = [*_DEVICES, *(name for name in _DEVICES_OF_SOME if Path("/dev", name).exists())]
    for name, source in {**{name: f"/dev/{name}" for name in names}, "ttyS0": terminal}.items():
        place = folder / name
        place.parent.mkdir(exist_ok=True)
        place.touch()
        _mount(source, str(place), "", _MS_BIND)
        _allow(str(place), _READ_ONLY | _NO_DEVICES)
    for name, target in {"fd": "/proc/self/fd", "ptmx": "pts/ptmx"}.items():
        (folder / name).symlink_to(target)
    for name in ("pts", "shm"):
        (folder / name).mkdir()
    _mount("devpts", str(folder / "pts"), "devpts", 0, "newinstance,ptmxmode=666")
    _mount("tmpfs", str(folder / "shm"), "tmpfs", 0, "mode=1777")


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    if _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode(), flags, options.encode()):
        _fail(f"{source} cannot be mounted at {target}")


def _restrict(place: str, attributes: int, *, below: bool = False) -> None:
    """Take from a mount what the attributes name, and, if asked to, from every one below it."""
    _set_attributes(place, attributes, 0, _AT_RECURSIVE if below else 0)


def _allow(place: str, attributes: int) -> None:
    _set_attributes(place, 0, attributes, 0)


def _set_attributes(place: str, added: int, removed: int, flags: int) -> None:
    # mount_setattr(2), since Linux 5.12: one call for a mount and all below it, whatever other flags each has.
    attributes = struct.pack("=QQQQ", added, removed, 0, 0)
    if _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, place.encode(), flags, attributes, len(attributes)):
        _fail(f"the attributes of the mount at {place} cannot be set")


def _fail(what: str) -> None:
    code = ctypes.get_errno()
    raise OSError(code, f"{what}: {os.strerror(code)}")


if __name__ == "__main__":
    main()
