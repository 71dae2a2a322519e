"""Where packaged scenarios, topologies and profiles are: in a checkout, or in an installed wheel."""

from __future__ import annotations

import contextlib
from pathlib import Path

import testbed
from testbed.errors import ScenarioError
from testbed.plain_text import choices
from testbed.quantities import shown

__all__ = ["find", "folder", "names"]

_PACKAGE = Path(testbed.__file__).resolve().parent
_SUFFIXES = {"scenarios": ".yaml", "topologies": ".py", "profiles": ".yaml"}
_SINGULAR = {"scenarios": "scenario", "topologies": "topology", "profiles": "profile"}

_FILES_OF = {".yaml": {".yaml", ".yml"}, ".py": {".py"}}


def _is_path(name: str, suffix: str) -> bool:
    return "/" in name or Path(name).suffix.lower() in _FILES_OF[suffix]


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
    path = Path(name)
    # A file goes before a packaged one of the same name; a folder does not, for a run of a scenario is one.
    if _is_path(name, suffix):
        with contextlib.suppress(OSError, ValueError):  # too long for a file, NUL in it, in a folder that is closed
            if path.is_file():
                return path
            if path.exists() and "/" in name:
                what = "a folder" if path.is_dir() else "no regular file"
                raise ScenarioError(f"{_SINGULAR[kind]} {shown(name)}: this is {what}; expected a file")
    known = names(kind)
    wanted = name.removesuffix(suffix).removeprefix(f"{kind}/")
    matches = [each for each in known if each == wanted or each.split("/")[-1] == wanted]
    if len(matches) == 1:
        return folder(kind) / f"{matches[0]}{suffix}"
    if len(path.parts) > 1 and path.suffix in _FILES_OF[suffix]:
        raise ScenarioError(f"{_SINGULAR[kind]} {shown(name)}: no such file")
    raise ScenarioError(f"no {_SINGULAR[kind]} {shown(name)}; {choices(name, known)} (testbed list {kind})")
