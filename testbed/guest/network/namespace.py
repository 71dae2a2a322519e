"""Network namespaces without a process to hold them: an open file does."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.netlink import NetlinkSocket

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_VM, CLONE_NEWUSER, CLONE_NEWNET = 0x100, 0x10000000, 0x40000000
_STACK_BYTES = 1 << 14
_EVERYBODY = "0 0 4294967295\n"  # a map in which every user and group is itself (user_namespaces(7))
_ROOT = "0 0 1\n"
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    """A network namespace of its own, alive while this object is open.

    Args:
        is_fenced: It belongs to a user namespace of its own. Who has the right to administer networks in that one
            (`become_confined`) can change this network and no other: netlink reaches from each end of a link to the
            other's namespace, and would let an administrator of both in.
    """

    def __init__(self, *, is_fenced: bool = False) -> None:
        home = _current()
        self._user = -1
        if is_fenced:
            self._user, self.fd = _fenced()
            self.enter()
        else:
            _check(_libc.unshare(CLONE_NEWNET), "cannot make a network namespace")
            self.fd = _current()
        try:
            self.kernel = NetlinkSocket()
            self.control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        finally:
            _check(_libc.setns(home, CLONE_NEWNET), "cannot return to the first network namespace")
            os.close(home)

    def enter(self) -> None:
        """Move the calling process here for good (a child after fork)."""
        _check(_libc.setns(self.fd, CLONE_NEWNET), "cannot enter the network namespace")

    def become_confined(self) -> None:
        """Give up every right outside this namespace's user namespace, for good (a child after fork)."""
        if self._user >= 0:
            _check(_libc.setns(self._user, CLONE_NEWUSER), "cannot enter the user namespace")

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Move here for the length of a block."""
        home = _current()
        self.enter()
        try:
            yield
        finally:
            _check(_libc.setns(home, CLONE_NEWNET), "cannot return from the network namespace")
            os.close(home)

    def set_sysctls(self, values: dict[str, str]) -> None:
        """Write kernel parameters (``net/ipv4/ip_forward``) as this namespace sees them."""
        with self.entered():
            for name, value in values.items():
                Path("/proc/sys", name).write_text(value)

    def sysctl(self, name: str) -> str:
        """Read one kernel parameter as this namespace sees it."""
        with self.entered():
            return Path("/proc/sys", name).read_text().strip()

    def close(self) -> None:
        """Let go of the namespace; the kernel removes it when its last process ends."""
        self.kernel.close()
        self.control.close()
        os.close(self.fd)
        if self._user >= 0:
            os.close(self._user)


def _fenced() -> tuple[int, int]:
    """Make a user namespace and a network namespace that belongs to it; return both, opened.

    The process that they are made with shares our memory and does nothing but wait: a copy of ours would cost the guest
    more than everything else about a node.
    """
    stack = ctypes.create_string_buffer(_STACK_BYTES)
    top = ctypes.addressof(stack) + _STACK_BYTES & -16  # as the ABI wants it
    flags = CLONE_VM | CLONE_NEWUSER | CLONE_NEWNET | signal.SIGCHLD
    pid = _libc.clone(_libc.pause, ctypes.c_void_p(top), flags, None)
    _check(min(pid, 0), "cannot make a user and a network namespace")
    try:
        for name in ("uid_map", "gid_map"):
            try:
                Path(f"/proc/{pid}", name).write_text(_EVERYBODY)
            except PermissionError:  # we are in a user namespace ourselves, which knows root alone
                Path(f"/proc/{pid}", name).write_text(_ROOT)
        user, net = (os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", "net"))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return user, net
