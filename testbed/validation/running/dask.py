"""Carrying cells to the workers of a Dask scheduler (https://distributed.dask.org), on as many machines as it has.

All of them see one store: a shared folder. What they answer says what went wrong; what came of a cell is read from the
store, so a scheduler, a worker or this process that dies loses the runs that were going on, and no other.

Not to be imported but where a scheduler is asked for: Dask is an extra.
"""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from distributed import Client, wait

from testbed.errors import MissingError
from testbed.validation.running.carriers import LONGEST_CELL_S
from testbed.validation.running.worker import Worker, this_program

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from distributed import Future

__all__ = ["DaskCluster"]

_CONNECT_S = 20
_LOOK_EVERY_S = 5.0
_CLOSE_S = 5
_WITHOUT_WORKERS_S = 60.0
_LOST = "the scheduler is gone; what had been made is in the store, and the same command makes the rest"
_own = threading.local()
"""The process that makes cells, of each thread of a Dask worker: it is kept from cell to cell."""


class DaskCluster:
    """The workers of a scheduler. Each runs a cell a thread: start them with a thread a processor.

    Args:
        address: Of the scheduler, such as ``tcp://10.0.0.1:8786``.
        program: The command line of a worker's process, without its arguments; None: this program, as it is there.

    Raises:
        MissingError: Nobody answers there.
    """

    def __init__(self, address: str, *, program: Sequence[str] | None = None) -> None:
        try:
            self._client = Client(address, timeout=_CONNECT_S)
            self._worked = time.monotonic()
            self._program = None if program is None else list(program)
        except (OSError, TimeoutError, ValueError) as error:
            raise MissingError(f"no Dask scheduler answers at {address}: {error}") from error

    def carry(self, cells: Sequence[str], arguments: Sequence[str]) -> Generator[tuple[str, str | None]]:
        """See `testbed.validation.running.carriers.Carrier`.

        Raises:
            MissingError: The scheduler died, or has no worker.
        """
        submit, program = self._client.submit, self._program
        waiting = {submit(_make, cell, list(arguments), program, pure=False, retries=0): cell for cell in cells}
        try:
            while waiting:
                with contextlib.suppress(TimeoutError):
                    wait(list(waiting), timeout=_LOOK_EVERY_S, return_when="FIRST_COMPLETED")
                for future in [future for future in waiting if future.done()]:
                    yield waiting.pop(future), _answer(future)
                self._require_workers()
        except CancelledError as error:
            raise MissingError(_LOST) from error
        finally:
            self._client.cancel(list(waiting))
            self._client.close(_CLOSE_S)

    def _require_workers(self) -> None:
        if self._client.status != "running":
            raise MissingError(_LOST)
        now = time.monotonic()
        if self._client.scheduler_info()["workers"]:
            self._worked = now
        elif now - self._worked > _WITHOUT_WORKERS_S:
            raise MissingError(
                f"the scheduler has had no worker for {_WITHOUT_WORKERS_S:.0f} s; start some: dask worker ADDRESS"
            )


def _answer(future: Future[str | None]) -> str | None:
    if future.status == "cancelled":
        raise MissingError(_LOST)
    try:
        problem: str | None = future.result(timeout=_CONNECT_S)
    except Exception as error:  # noqa: BLE001 - what a worker of another version or machine raises may be anything
        problem = f"{type(error).__name__}: {error}"
    return problem


def _make(cell: str, arguments: list[str], program: list[str] | None) -> str | None:
    """Make one cell on a worker; return what went wrong."""
    command = this_program(*arguments) if program is None else [*program, *arguments]
    if getattr(_own, "command", command) != command:  # of another suite: a Dask worker outlives who asks it
        _own.worker.close()
        del _own.worker
    if not hasattr(_own, "worker"):
        _own.worker, _own.command = Worker(command, longest_s=LONGEST_CELL_S), command
    worker: Worker = _own.worker
    return worker.make(cell)
