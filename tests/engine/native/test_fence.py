"""What namespaces leave open is closed: sockets that no network namespace holds, key rings, the machine's programs."""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
from typing import TYPE_CHECKING

import pytest

from testbed.engine.native import fence
from tests.engine.uml.test_seccomp import in_a_child, refused

if TYPE_CHECKING:
    from pathlib import Path

KEYCTL_OF = {"x86_64": 250, "aarch64": 219}
HEAD = "Num       RefCount Protocol Flags    Type St Inode Path\n"
LINE = "0000000000000000: 00000002 00000000 00010000 0001 01 {inode} {path}\n"


def test_only_sockets_that_a_network_namespace_holds_can_be_made() -> None:
    def body() -> None:
        fence.refuse_system_calls()
        for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
            kind = socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM
            socket.socket(family, kind).close()
        for family in (socket.AF_VSOCK, socket.AF_BLUETOOTH, socket.AF_RDS, socket.AF_QIPCRTR):
            assert refused(lambda: socket.socket(family, socket.SOCK_SEQPACKET)) == "EAFNOSUPPORT"  # noqa: B023

    assert in_a_child(body) == 0


@pytest.mark.parametrize("name", ["keyctl", "io_uring_setup"])
def test_key_rings_and_the_other_way_to_a_socket_are_refused(name: str) -> None:
    def body() -> None:
        fence.refuse_system_calls()
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.syscall(425 if name == "io_uring_setup" else KEYCTL_OF[platform.machine()], 0, 0, 0) == -1
        assert ctypes.get_errno() == errno.EPERM

    assert in_a_child(body) == 0


def test_a_processor_whose_system_calls_are_not_known_is_refused() -> None:
    with pytest.raises(OSError, match="x86_64 and aarch64, not for riscv64"):
        fence.refuse_system_calls("riscv64")


def test_sockets_with_a_name_are_covered_and_nothing_else_is(tmp_path: Path) -> None:
    named, gone, plain = tmp_path / "with a space", tmp_path / "gone", tmp_path / "file"
    plain.write_text("")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(named))
        table = tmp_path / "unix"
        table.write_text(
            HEAD
            + "".join(LINE.format(inode=7, path=path) for path in (named, gone, plain, "@abstract", "relative", ""))
            + LINE.format(inode=8, path="").rstrip()
        )
        covered: list[str] = []
        fence.cover_sockets(covered.append, table)
    assert covered == [str(named)]


def test_the_kernels_own_table_is_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "bound here"))
        covered: list[str] = []
        fence.cover_sockets(covered.append)
    assert str(tmp_path / "bound here") in covered
