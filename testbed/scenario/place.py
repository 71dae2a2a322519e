"""Where in a scenario's file something is wrong: every error of the resolver names file, line and key."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.errors import ScenarioError
    from testbed.scenario.document import Document

__all__ = ["Key", "Places"]

Key = tuple[str | int, ...]


class Places:
    """A scenario's file, for errors and for paths that stand in it.

    Args:
        path: The file.
        document: What was read from it.
    """

    def __init__(self, path: Path, document: Document) -> None:
        self._path = path
        self._document = document

    @property
    def folder(self) -> Path:
        """The folder of the scenario's file, from which paths in it are read."""
        return self._path.parent

    @property
    def document(self) -> Document:
        """What was read from the file."""
        return self._document

    @property
    def every_s(self) -> float | None:
        """After how long the measurements are repeated; None: there is no schedule."""
        for source in self._document.sources.get("measurements", []):
            if source.ends_s < math.inf:
                return source.ends_s - source.begins_s
        return None

    def error(self, key: Key, text: str) -> ScenarioError:
        """Return the error that something is wrong at a key."""
        return self._document.error(key, text)

    def beside(self, name: str) -> str:
        """Read a path from the folder of the scenario's file. A name that leads to no file there is left as it is."""
        if not name.endswith((".py", ".yaml")):
            return name
        beside = self._path.parent / name
        with contextlib.suppress(OSError):  # a name too long for a file, or in a folder that may not be entered
            return str(beside) if beside.is_file() else name
        return name
