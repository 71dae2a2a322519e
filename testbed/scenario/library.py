"""Where packaged scenarios, topologies and profiles are: in a checkout, or in an installed wheel."""

from __future__ import annotations

import contextlib
from pathlib import Path

import testbed
from testbed.errors import ScenarioError
from testbed.quantities import shown

__all__ = ["find", "folder", "names"]

_PACKAGE = Path(testbed.__file__).resolve().parent
_SUFFIXES = {"scenarios": ".yaml", "topologies": ".py", "profiles": ".yaml"}
_SINGULAR = {"scenarios": "scenario", "topologies": "topology", "profiles": "profile"}


def folder(kind: str) -> Path:
    """Return the folder of ``scenarios``, ``topologies`` or ``profiles``."""
    if kind == "profiles":
        return _PACKAGE / "middlebox" / "censors"
    installed = _PACKAGE / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def names(kind: str) -> list[str]:
    """Return what is packaged, by the name that a user would give."""
    root, suffix = folder(kind), _SUFFIXES[kind]
    return sorted(str(path.relative_to(root).with_suffix("")) for path in root.rglob(f"*{suffix}"))


def find(kind: str, name: str) -> Path:
    """Return the file that a user means: a path, or the name of a packaged one.

    Raises:
        ScenarioError: There is none; lists what there is.
    """
    suffix = _SUFFIXES[kind]
    if name.endswith(suffix):
        path = Path(name)  # a file goes before a packaged one of the same name
        with contextlib.suppress(OSError):  # a name too long for a file, or in a folder that may not be entered
            if path.is_file():
                return path
    known = names(kind)
    wanted = name.removesuffix(suffix).removeprefix(f"{kind}/")
    matches = [each for each in known if each == wanted or each.split("/")[-1] == wanted]
    if len(matches) == 1:
        return folder(kind) / f"{matches[0]}{suffix}"
    raise ScenarioError(f"no {_SINGULAR[kind]} {shown(name)}; there are: {', '.join(known)}")
