"""A process that makes cells one after the other: each costs its run, and not the start of Python and its packages.

The process is this program with ``--cell -``. It reads the ids of cells, one a line, and answers each with a line of
JSON. Whatever ends it costs the cell that it had in hand; the next cell gets a new process.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
import sys
import tempfile
import time
from typing import IO, TYPE_CHECKING

from testbed.errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Worker", "answers", "this_program"]

_LONGEST_ANSWER_BYTES = 1 << 16


def this_program(*arguments: str) -> list[str]:
    """Return the command line of the testbed itself, as it runs now."""
    return [sys.executable, "-m", "testbed.cli", *arguments]


class Worker:
    """Makes cells by a process, which is started when there is a cell to make.

    Args:
        command: The command line of the process.
        longest_s: What a cell may take; a process that takes longer is killed.
    """

    def __init__(self, command: Sequence[str], *, longest_s: float) -> None:
        self._command = list(command)
        self._longest_s = longest_s
        self._running: _Running | None = None

    def make(self, cell: str) -> str | None:
        """Make one cell; return what went wrong, or None."""
        try:
            self._running = self._running or _Running(self._command)
            return self._running.asked(cell, self._longest_s)
        except (OSError, EOFError, ValueError) as error:
            why = str(error) if self._running is None else self._running.last_words() or str(error)
            self.close()
            return why

    def kill(self) -> None:
        """Kill the process, from another thread than the one that waits for it; that one is told, and closes it."""
        if (running := self._running) is not None:
            running.kill()

    def close(self) -> None:
        """End the process, and a guest with it: a guest dies with who started it."""
        if self._running is not None:
            self._running.end()
            self._running = None


class _Running:
    def __init__(self, command: Sequence[str]) -> None:
        # What it says goes to a file: a process that says much must not wait for somebody who reads it.
        with contextlib.ExitStack() as files:
            self._said = files.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, bufsize=0
            )
            self._stdin, self._stdout = _pipes(self._process)
            self._files = files.pop_all()

    def asked(self, cell: str, longest_s: float) -> str | None:
        """Return what went wrong with a cell, or None.

        Raises:
            OSError, EOFError, ValueError: The process has died, takes too long, or answers something else.
        """
        self._stdin.write(f"{cell}\n".encode())
        answer = json.loads(self._line(time.monotonic() + longest_s, longest_s))
        if not isinstance(answer, dict) or answer.get("cell") != cell:
            raise ValueError(f"it answered {answer!r} when it was asked for {cell}")
        problem = answer.get("problem")
        return None if problem is None else str(problem)

    def _line(self, until: float, longest_s: float) -> bytes:
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise TimeoutError(f"it took longer than {longest_s:g} s")
                piece = self._stdout.read(_LONGEST_ANSWER_BYTES)
                line += piece
                if not piece:
                    raise EOFError("it ended without an answer")
                if len(line) > _LONGEST_ANSWER_BYTES:
                    raise ValueError("its answer is too long")
        return line

    def last_words(self) -> str:
        """Return the last line that the process wrote to its standard error; its status, if it wrote none."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._said.seek(0)
        lines = self._said.read()[-_LONGEST_ANSWER_BYTES:].decode(errors="replace").strip().splitlines()
        status = self._process.poll()
        return lines[-1] if lines else "" if status is None else f"status {status}"

    def kill(self) -> None:
        """Kill the process, if it has not ended."""
        self._process.kill()

    def end(self) -> None:
        """Kill the process, and close what leads to it."""
        self.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()
        self._files.close()


def answers(cells: Iterable[str], make: Callable[[str], None]) -> Iterator[str]:
    """Make the cells that are asked for, and yield the answer to each: the other side of `Worker`.

    Args:
        cells: Their ids, a line each; blank lines ask for none.
        make: Makes one. What it raises of the testbed's own errors is the answer.
    """
    for cell in filter(None, map(str.strip, cells)):
        problem = None
        try:
            make(cell)
        except TestbedError as error:
            problem = str(error)
        yield json.dumps({"cell": cell, "problem": problem})


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise OSError("a process was started without its pipes")
    return process.stdin, process.stdout
