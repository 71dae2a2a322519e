"""Carriers: what brings the making of cells to processors, of this machine or of many.

A carrier says what went wrong, and nothing else: what came of cells is read from the store, whoever made them. So a
carrier that dies loses the runs that were going on, and no other.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Protocol

from testbed.errors import InputError
from testbed.validation.running.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

__all__ = ["LONGEST_CELL_S", "Carrier", "Threads", "carry_all", "processors"]

LONGEST_CELL_S = 1800.0
_SECONDS_BETWEEN_LINES = 5.0


class Carrier(Protocol):
    """Has cells made somewhere."""

    def carry(self, cells: Sequence[str], arguments: Sequence[str]) -> Generator[tuple[str, str | None]]:
        """Yield each cell that has been made, in any order, and what went wrong with it.

        Args:
            cells: Their ids.
            arguments: Of this program, for one that makes what it reads from standard input.
        """
        ...


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


class Threads:
    """Workers of this machine, each with a thread that waits for it.

    Args:
        jobs: How many at once; None: as many as there are processors. A guest keeps one busy, and has it to itself:
            more would be no faster.
        command: The command line of a worker, by its arguments.

    Raises:
        InputError: There are not so many processors.
    """

    def __init__(self, jobs: int | None, command: Callable[..., list[str]]) -> None:
        there = processors()
        if jobs is not None and jobs > there:
            raise InputError(
                f"--jobs {jobs}: a guest needs a processor of its own, and this machine gives {there}; "
                f"more at once would be no faster. Give {there} at most"
            )
        self._jobs = jobs or there
        self._command = command

    def carry(self, cells: Sequence[str], arguments: Sequence[str]) -> Generator[tuple[str, str | None]]:
        """See `Carrier`."""
        workers: list[Worker] = []
        own = threading.local()

        def make(cell: str) -> str | None:
            if not hasattr(own, "worker"):
                own.worker = Worker(self._command(*arguments), longest_s=LONGEST_CELL_S)
                workers.append(own.worker)
            worker: Worker = own.worker
            return worker.make(cell)

        pool = ThreadPoolExecutor(self._jobs)
        try:
            waiting = {pool.submit(make, cell): cell for cell in cells}
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            # Also when somebody has heard enough: what was not begun is not begun any more.
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()
            pool.shutdown(wait=True)
            for worker in workers:
                worker.close()


def carry_all(
    runs: Sequence[str], carrier: Carrier, arguments: Sequence[str], *, progress: Callable[[str], None]
) -> dict[str, str]:
    """Have runs made; return what went wrong, by the run's id.

    Args:
        runs: Their ids.
        carrier: Has them made.
        arguments: Of this program, for one that makes what it reads from standard input.
        progress: Called with a line now and then.
    """
    failed: dict[str, str] = {}
    began = said = time.monotonic()
    with contextlib.closing(carrier.carry(runs, arguments)) as answers:
        for done, (run, problem) in enumerate(answers, start=1):
            if problem is not None:
                failed[run] = problem
            now = time.monotonic()
            if now - said >= _SECONDS_BETWEEN_LINES or done == len(runs):
                said = now
                left_s = (now - began) / done * (len(runs) - done)
                progress(f"{done} of {len(runs)} runs made, {len(failed)} failed, about {left_s:.0f} s left")
    return failed
