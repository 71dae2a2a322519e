"""Packages of HTTP/2 and HTTP/3, which only some scenarios need: an archive of their own has them.

Where no scenario asks for them, nothing looks into it, and no byte of a run depends on it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.records.plan import PlanDocument

__all__ = ["find_protocols"]

_FOLDER = "/run/testbed/code/protocols"
_ARCHIVE = f"{_FOLDER}/protocols.zip"


def find_protocols(plan: PlanDocument, folder: str = _FOLDER, archive: str = _ARCHIVE) -> None:
    """Let the packages be found, if an origin of the plan speaks more than HTTP/1.1.

    Packages of Python's library that were loaded from another archive would look for their modules in that one alone,
    which has only what every run needs.
    """
    if not any("protocols" in origin for origin in plan["origins"].values()):
        return
    # Before the folder of all packages that are installed: of what is in both, this is the one that never changes.
    sys.path[1:1] = [archive, folder]
    for name, module in [*sys.modules.items()]:
        path = getattr(module, "__path__", None)
        if isinstance(path, list) and any(".zip" in each for each in path):
            path.append(f"{archive}/{name.replace('.', '/')}")
