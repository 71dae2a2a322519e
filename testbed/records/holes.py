"""Give the beginning of a file back to the disk while its end still grows (fallocate(2), FALLOC_FL_PUNCH_HOLE).

What was never written out never will be: a capture that is read as fast as it comes takes neither room on the disk nor
its time. Positions in the file stay what they were. Not for: a file that anybody reads again.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HolePunch"]

_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02  # linux/falloc.h
_BLOCK: Final = 4096  # holes are of whole blocks; what a smaller one would be is filled with zeros instead
_STEP: Final = 1 << 18  # bytes: one call for every packet would cost more than the room is worth


class HolePunch:
    """Forgets a file from its beginning on.

    Args:
        descriptor: Of the file, which may be open for reading alone.

    Attributes:
        begin: Where what is left of the file begins.
    """

    def __init__(self, descriptor: int) -> None:
        self.begin = 0
        self._descriptor: int | None = None
        # A second name would mean that somebody else has a use for the file.
        if os.fstat(descriptor).st_nlink == 1:
            with contextlib.suppress(OSError):  # not ours to change, or no /proc: then it stays whole
                self._descriptor = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_CLOEXEC)

    def forget(self, end: int) -> None:
        """Give back what lies before ``end``, once it is enough to be worth it. Where that cannot be done, it stays."""
        end -= end % _BLOCK
        if self._descriptor is None or end - self.begin < _STEP:
            return
        if _punch(self._descriptor, self.begin, end - self.begin):
            self.begin = end
        else:
            self.close()

    def close(self) -> None:
        """Forget no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _punch(descriptor: int, offset: int, size: int) -> bool:
    call = _fallocate()
    return call is not None and call(descriptor, _KEEP_SIZE | _PUNCH_HOLE, offset, size) == 0


@cache
def _fallocate() -> Callable[[int, int, int, int], int] | None:
    """Return the C library's call, which Python has only for the filling of files; None: there is none."""
    try:
        call = ctypes.CDLL(None, use_errno=True).fallocate64
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    call.restype = ctypes.c_int

    def called(descriptor: int, mode: int, offset: int, size: int) -> int:
        result: int = call(descriptor, mode, offset, size)
        return result

    return called
