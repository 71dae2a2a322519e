"""A processor for a guest to stay on.

A guest is many processes of the host, of which one runs at a time: each system call of its programs goes from one to
the other. Where the host's scheduler puts them on different processors, every such step wakes a processor up, and a run
takes about twice as long (benchmarks/start_up.py has the figures). Two guests on one processor would take as long
again, so each has one of its own.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from testbed.engine.kernel.cache import user_cache
from testbed.errors import TestbedError
from testbed.records.lock import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["own_processor"]


@contextlib.contextmanager
def own_processor() -> Iterator[int | None]:
    """Have a processor for the time of the block that no other guest of this user has.

    Yields:
        Its number; None: there is one processor alone, every one is taken, or nothing can be locked here. Then the
        host's scheduler does as it likes.
    """
    with contextlib.ExitStack() as held:
        yield _taken(held)


def _taken(held: contextlib.ExitStack) -> int | None:
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) == 1:
        return None
    with contextlib.suppress(OSError, TestbedError):  # no home, or one that cannot be written
        folder = user_cache() / "processors"
        for number in allowed:
            place = folder / str(number)
            place.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(BlockingIOError):
                held.enter_context(locked(place, when_busy=_leave))
                return number
    return None


def _leave() -> None:
    raise BlockingIOError
