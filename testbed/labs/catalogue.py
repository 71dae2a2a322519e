"""The labs that there are: the packaged ones, those of others in ``labs/community/``, and any folder."""

from __future__ import annotations

from pathlib import Path

import testbed
from testbed.errors import InputError
from testbed.labs.lab import LabFile, load_lab
from testbed.quantities import shown

__all__ = ["find_lab", "lab_names", "labs_folder"]

_PACKAGE = Path(testbed.__file__).resolve().parent
COMMUNITY = "community"


def labs_folder() -> Path:
    """Return where the packaged labs are: in a checkout, or in an installed wheel."""
    # In a wheel they lie beside this code, for nothing else of a checkout is installed.
    installed = _PACKAGE / "labs" / "packaged"
    return installed if installed.is_dir() else _PACKAGE.parent / "labs"


def lab_names() -> list[str]:
    """Return what is packaged, those of others last."""
    root = labs_folder()
    found = [path.parent.relative_to(root).as_posix() for path in root.glob("**/lab.yaml")]
    return sorted(found, key=lambda name: (name.startswith(f"{COMMUNITY}/"), name))


def find_lab(name: str) -> LabFile:
    """Return the lab that somebody means: by its number, its name, or the folder that it is in.

    Raises:
        InputError: There is none; lists what there is. `ScenarioError`: Its file cannot be used.
    """
    known = lab_names()
    chosen = [each for each in known if each == name or (name.isdecimal() and each.split("-")[0] == name)]
    if len(chosen) == 1:
        return load_lab(labs_folder() / chosen[0], chosen[0])
    # A folder is meant only where a separator says so: a lab's name must not depend on where it is typed.
    if "/" in name or "\\" in name:
        folder = Path(name)
        if (folder / "lab.yaml").is_file():
            return load_lab(folder, folder.resolve().name)
    raise InputError(f"no lab {shown(name)}; there are: {', '.join(known)}")
