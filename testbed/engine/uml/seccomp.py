"""Programs of classic BPF by which the kernel refuses system calls to a process and its children (seccomp(2)).

Every jump is over the few instructions after it, so that no distance has to be counted. Which calls are refused is
said by who uses this: `testbed.engine.uml.confine` and `testbed.engine.native.fence`.

Source: Documentation/userspace-api/seccomp_filter.rst in the kernel tree. A program sees struct seccomp_data: number,
architecture, instruction pointer, six arguments.
"""

from __future__ import annotations

import ctypes
import struct

__all__ = [
    "ARGUMENTS_AT",
    "EPERM",
    "JUMP_EQUAL",
    "beginning",
    "ending",
    "install",
    "instruction",
    "load",
    "return_error",
]

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
JUMP_EQUAL, _JUMP_AT_LEAST, _LOAD_WORD, _RETURN = 0x15, 0x35, 0x20, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16
_X32_BIT = 0x40000000
EPERM = 1
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2


def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return one instruction; a jump passes over so many of those after it."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def load(offset: int) -> bytes:
    """Load a word of what the kernel tells of a call."""
    return instruction(_LOAD_WORD, offset)


def return_error(code: int) -> bytes:
    """End: the call is not made, and returns this error; 0: it looks as if it had been made."""
    return instruction(_RETURN, _ERRNO | code)


def beginning(architecture: int) -> list[bytes]:
    """Refuse calls of another architecture, whose numbers differ, and of x32; leave the call's number loaded."""
    refuse = return_error(EPERM)
    return [
        load(_ARCHITECTURE_AT), instruction(JUMP_EQUAL, architecture, 1, 0), refuse,
        load(_NUMBER_AT), instruction(_JUMP_AT_LEAST, _X32_BIT, 0, 1), refuse,
    ]  # fmt: skip


def ending() -> bytes:
    """Allow what has not been refused."""
    return instruction(_RETURN, _ALLOW)


def install(program: list[bytes]) -> None:
    """From now on this process and its children are held to it.

    Raises:
        OSError: The kernel refused it.
    """
    code = b"".join(program)
    kept = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("=H6xQ", len(program), ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value, argument in (
        (_PR_SET_NO_NEW_PRIVS, 1, None), (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header),
    ):  # fmt: skip
        if libc.prctl(option, value, argument, 0, 0):
            raise OSError(ctypes.get_errno(), "the kernel takes no seccomp filter")
