"""The nearest folder that is there, of one that may have to be made: its disk and its owner are those to ask about.

Not for: making a folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_there", "nearest"]


def nearest(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there; the path has to be absolute."""
    return next(each for each in (folder, *folder.parents) if is_there(each))


def is_there(path: Path) -> bool:
    """Return whether a path is there, as far as this user can tell."""
    try:
        return path.exists()
    except OSError:
        return False  # a name too long, or a folder that is closed: whoever makes the folder says so
