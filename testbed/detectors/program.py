"""Any program as a detector: it reads an observation as JSON on stdin and writes a verdict as JSON on stdout."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from testbed.detectors.child import OutputTooLongError, run_bounded
from testbed.detectors.sources.fields import load_json
from testbed.detectors.sources.observation_json import observation_to_json
from testbed.detectors.verdict import Verdict, verdict_from_json
from testbed.errors import InputError, MissingError

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation

__all__ = ["TIMEOUT_S", "ExecDetector"]

TIMEOUT_S: Final = 60.0
MOST_OUTPUT_BYTES: Final = 1 << 24
_SHOWN_CHARACTERS: Final = 500  # of stderr: enough for the last lines of a traceback


class ExecDetector:
    """A program of the user's.

    Args:
        command: Program and arguments, quoted as for a shell; no shell is started.
        timeout_s: Seconds it may take for one observation.

    Raises:
        InputError: The command is empty or badly quoted.
    """

    def __init__(self, command: str, *, timeout_s: float = TIMEOUT_S) -> None:
        try:
            self._arguments = shlex.split(command)
        except ValueError as error:
            raise InputError(f"exec:{command}: {error}") from error
        if not self._arguments:
            raise InputError("exec: names no program; write exec:./my-detector")
        self.name = f"exec:{command}"
        self.summary = "a program of the user's"
        self._timeout_s = timeout_s

    def detect(self, observation: Observation) -> Verdict:
        """Run the program once. What it started and left behind is ended with it, and not waited for.

        Raises:
            MissingError: The program cannot be started.
            InputError: It failed, took too long, wrote too much, or wrote no verdict; what it said on stderr is quoted.
        """
        given = observation_to_json(observation).encode()  # the whole observation at once: it reads what it needs
        try:
            done = run_bounded(
                self._arguments, given, timeout_s=self._timeout_s, most_bytes=MOST_OUTPUT_BYTES, tail=_SHOWN_CHARACTERS
            )
        except TimeoutError as error:
            why = f"no verdict after {self._timeout_s:g} s; allow more with --timeout"
            raise InputError(f"{self.name}: {why}") from error
        except OutputTooLongError as error:
            why = f"wrote more than {MOST_OUTPUT_BYTES} bytes; a verdict is one JSON object"
            raise InputError(f"{self.name}: {why}") from error
        except OSError as error:
            raise MissingError(f"{self.name}: cannot be started: {error.strerror}; is it executable?") from error
        said = done.stderr.decode("utf-8", "replace").strip()
        if done.status != 0:
            raise InputError(f"{self.name}: ended with status {done.status}: {said or 'it said nothing on stderr'}")
        try:
            return verdict_from_json(load_json(done.stdout, self.name), detector=self.name)
        except ValueError as error:
            raise InputError(f"{self.name}: its verdict cannot be used: {error}") from error
