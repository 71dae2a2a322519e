"""The page of a CI job: Markdown is added to the file that GitHub Actions, Gitea and Forgejo name for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["VARIABLE", "add_to_job_summary"]

VARIABLE: Final = "GITHUB_STEP_SUMMARY"
MOST_BYTES: Final = 1 << 20
"""What a step may add; GitHub drops the whole of a longer one (docs.github.com, "Workflow commands")."""

_CUT: Final = "\n\nThe rest is left out: a job's summary has 1 MiB. The artifact has all of it.\n"


def add_to_job_summary(markdown: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Add a text to the job's page; return whether this is a job that has one.

    A text that is too long is cut after a line, and says so.

    Raises:
        InputError: The file that the environment names cannot be written.
    """
    place = environment.get(VARIABLE)
    if not place:
        return False
    data = f"{markdown}\n".encode("utf-8", "backslashreplace")
    try:
        # Earlier steps of a job share the page's file, and the limit is one for all of it.
        room = MOST_BYTES - (Path(place).stat().st_size if Path(place).exists() else 0)
        if len(data) > room:
            end = data.rfind(b"\n", 0, max(0, room - len(_CUT)))
            data = data[:end] + _CUT.encode() if end > 0 else b""
        with Path(place).open("ab") as file:
            file.write(data)
    except OSError as error:
        raise InputError(f"cannot add to {place}, which {VARIABLE} names: {error.strerror}") from error
    return True
