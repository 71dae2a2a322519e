"""Mininet without distutils, of which it imports one name.

Mininet compares versions of Open vSwitch with it, which the testbed never uses. Python 3.12 and newer have none; where
setuptools brings it back, or stands before Python's own, loading it takes longer than all of Mininet.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

__all__ = ["import_mininet"]


class StrictVersion:
    """Stands where Mininet looks for a version number; none is ever compared."""

    def __init__(self, text: str) -> None:
        raise NotImplementedError(f"the testbed has no use for Open vSwitch, nor for its version {text}")


def import_mininet() -> None:
    """Import the module of Mininet that asks for distutils; nobody else is given what it gets instead."""
    package, version = ModuleType("distutils"), ModuleType("distutils.version")
    version.StrictVersion = StrictVersion  # type: ignore[attr-defined]
    package.version = version  # type: ignore[attr-defined]
    stand_ins = {"distutils": package, "distutils.version": version}
    before = {name: sys.modules[name] for name in stand_ins if name in sys.modules}
    sys.modules |= stand_ins
    try:
        importlib.import_module("mininet.node")
    finally:
        for name in stand_ins:
            del sys.modules[name]
        sys.modules |= before
