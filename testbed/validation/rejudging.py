"""Asks a detector that has changed about the cells of a suite, on all processors.

A cell that is made is judged by the process that makes it. Where a verdict is missing of cells that are there, it is
asked for here, by processes that run this file: the keys of cells come by standard input, a line each. What is said is
kept, and who scores reads it from the store.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.errors import TestbedError
from testbed.validation.checkers.checker import is_checker
from testbed.validation.judging import judgements, known_digest
from testbed.validation.keeping.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.validation.evaluation import Kept

__all__ = ["judge_missing"]

_LEAST_CELLS = 100
"""With fewer, the processes would take longer to start than this one takes to judge."""


def judge_missing(
    kept: Sequence[Kept], store: Store, detectors: Sequence[str], *, jobs: int | None, least: int = _LEAST_CELLS
) -> int:
    """Have missing verdicts made by several processes. What goes wrong is left to who asks for the verdict next.

    Args:
        kept: The cells.
        store: Where they are.
        detectors: Who is asked; a program that is tried inside the network needs a run, and is not.
        jobs: How many processes; None: as many as there are processors.
        least: Cells for which processes are worth their start.

    Returns:
        Of how many cells verdicts were asked for.
    """
    names = [name for name in detectors if not is_checker(name)]
    digests = [known_digest(name) for name in names]
    lacking = [
        one.key
        for one in kept
        if not all(store.has_verdict(seen, by) for seen in one.record["observations"].values() for by in digests)
    ]
    count = jobs or len(os.sched_getaffinity(0))
    if len(lacking) < least or count == 1:
        return 0
    command = [sys.executable, "-m", "testbed.validation.rejudging", str(store.path), *names]
    processes: list[subprocess.Popen[str]] = []
    try:
        for first in range(count):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
            )
            processes.append(process)
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError), process.stdin:  # a detector may end its process
                    process.stdin.write("".join(f"{key}\n" for key in lacking[first::count]))
        for process in processes:
            process.wait()
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return len(lacking)


def _main() -> None:
    path, *names = sys.argv[1:]
    store = Store(Path(path))
    for line in sys.stdin:
        with contextlib.suppress(TestbedError):  # told by who asks next, with all that it means for the suite
            key = line.strip()
            record = store.cell(key)
            for _ in [] if record is None else judgements(store, key, record, names):
                pass


if __name__ == "__main__":
    _main()
