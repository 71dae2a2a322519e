"""Network namespaces without a process to hold them: an open file does."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.netlink import NetlinkSocket

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    """A network namespace of its own, alive while this object is open."""

    def __init__(self) -> None:
        home = _current()
        _check(_libc.unshare(CLONE_NEWNET), "cannot make a network namespace")
        try:
            self.fd = _current()
            self.kernel = NetlinkSocket()
            self.control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        finally:
            _check(_libc.setns(home, CLONE_NEWNET), "cannot return to the first network namespace")
            os.close(home)

    def enter(self) -> None:
        """Move the calling process here for good (a child after fork)."""
        _check(_libc.setns(self.fd, CLONE_NEWNET), "cannot enter the network namespace")

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
