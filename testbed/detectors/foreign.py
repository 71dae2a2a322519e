"""Code of other packages in this process: it neither writes among our results nor ends the program."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["foreign"]

_TURN = threading.RLock()  # standard output is all threads': two that turn it aside at once would not put it back


@contextlib.contextmanager
def foreign() -> Iterator[None]:
    """Let such code work: what it prints goes to stderr.

    Raises:
        InputError: It would have ended the program.
    """
    with _TURN, contextlib.redirect_stdout(sys.stderr):
        try:
            yield
        except SystemExit as error:
            raise InputError(f"it would have ended the program: SystemExit: {error.code}") from error
