"""What a filter refuses is refused with its error, to children too, and everything else goes on."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import traceback
from typing import TYPE_CHECKING

import pytest

from testbed.engine.uml import seccomp

if TYPE_CHECKING:
    from collections.abc import Callable

X86_64 = 0xC000003E
SOCKET, GETPRIORITY, GETPID, X32 = 41, 140, 39, 0x40000000


def in_a_child(body: Callable[[], None]) -> int:
    """Run it where a filter does no harm; return the exit status, 0 where nothing was raised."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            body()
            status = 0
        except BaseException:  # noqa: BLE001 - the child ends here whatever happened, and says what
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def refused(call: Callable[[], object]) -> str:
    """Return the name of the error that a call ends with."""
    with pytest.raises(OSError, match=r"\[Errno") as error:
        call()
    return errno.errorcode[error.value.errno or 0]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86-64")
def test_what_is_refused_has_its_error_and_the_rest_is_allowed() -> None:
    def body() -> None:
        program = seccomp.beginning(X86_64)
        for number, code in ((SOCKET, errno.EMFILE), (GETPRIORITY, 0)):
            program += [seccomp.instruction(seccomp.JUMP_EQUAL, number, 0, 1), seccomp.return_error(code)]
        seccomp.install([*program, seccomp.ending()])
        assert refused(lambda: socket.socket(socket.AF_INET)) == "EMFILE"
        assert os.getpriority(os.PRIO_PROCESS, 0) == 20  # the C library takes what the call returns, now 0, from 20
        assert in_a_child(lambda: os._exit(refused(lambda: socket.socket(socket.AF_UNIX)) != "EMFILE")) == 0
        os.close(os.dup(0))

    assert in_a_child(body) == 0


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86-64")
def test_a_call_by_its_other_number_is_refused() -> None:
    """The kernel may know getpid by an x32 number, too: what is refused by number would be had by that."""

    def body() -> None:
        seccomp.install([*seccomp.beginning(X86_64), seccomp.ending()])
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.syscall(GETPID) == os.getpid()
        assert libc.syscall(X32 | GETPID) == -1
        assert ctypes.get_errno() == errno.EPERM  # a kernel that does not know it says ENOSYS

    assert in_a_child(body) == 0
