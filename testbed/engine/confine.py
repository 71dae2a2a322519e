"""Confines a process to writing below a few folders, with Landlock: no privilege needed, not even root inside escapes.

The guest mounts the host's files read-only, but a program that is root in the guest could mount them again for writing.
Under Landlock the host's kernel refuses every write, creation and removal outside the run directory all the same.
Source: Documentation/userspace-api/landlock.rst in the kernel tree; present since 5.13, in Debian since 12.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["landlock_version", "restrict_writes"]

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, the same on every architecture
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_MAKE_AND_REMOVE = sum(1 << bit for bit in range(4, 13))  # REMOVE_DIR … MAKE_SYM
_TRUNCATE_SINCE, _NETWORK_SINCE = 3, 4
_BIND_AND_CONNECT = 0b11  # TCP


def landlock_version() -> int:
    """The version that the host's kernel speaks; 0 where Landlock is absent or switched off."""
    version: int = ctypes.CDLL(None, use_errno=True).syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    return max(version, 0)


def restrict_writes(folders: Sequence[Path], files: Sequence[Path]) -> None:
    """From now on this process and its children write only there, and open no TCP connection.

    Meant for the moment between fork and exec. Does nothing where Landlock is absent.

    Args:
        folders: everything below them may be written, made and removed.
        files: may be written.

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
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot give up new privileges")
    _call(libc, _RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _call(libc: ctypes.CDLL, number: int, *arguments: int | bytes) -> int:
    result: int = libc.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock refused: {os.strerror(code)}")
    return result
