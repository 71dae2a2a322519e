"""Packages of HTTP/2 and HTTP/3, which only some scenarios need: a file of their own has them.

Where no scenario asks for them, nothing looks into it, and no byte of a run depends on it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.records.plan import PlanDocument

__all__ = ["find_protocols"]

_FOLDER = "/run/testbed/code/protocols"


def find_protocols(plan: PlanDocument, folder: str = _FOLDER) -> None:
    """Let the packages be found, if an origin of the plan speaks more than HTTP/1.1.

    Args:
        plan: What is to be run.
        folder: With the file, and with packages that have extension modules.
    """
    if not any("protocols" in origin for origin in plan["origins"].values()):
        return
    from testbed.guest.start import StoredModules  # noqa: PLC0415 - the others have it under another name

    # Before the folder of all packages that are installed: of what is in both, this is the one that never changes.
    sys.path.insert(1, folder)
    sys.meta_path.insert(0, StoredModules(f"{folder}/protocols.modules"))
