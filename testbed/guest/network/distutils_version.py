"""The one name of the former distutils that Mininet imports, for a Python (3.12 or newer) that has it no more.

Mininet compares versions of Open vSwitch with it, which the testbed never uses. setuptools brings distutils back by a
``.pth`` file, but the guest's Python reads none.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

__all__ = ["provide_distutils"]


class StrictVersion:
    """Stands where Mininet looks for a version number; none is ever compared."""

    def __init__(self, text: str) -> None:
        raise NotImplementedError(f"the testbed has no use for Open vSwitch, nor for its version {text}")


def provide_distutils() -> None:
    """Let ``from distutils.version import StrictVersion`` work where Python has no distutils."""
    if importlib.util.find_spec("distutils") is not None:
        return
    package, version = ModuleType("distutils"), ModuleType("distutils.version")
    version.StrictVersion = StrictVersion  # type: ignore[attr-defined]
    package.version = version  # type: ignore[attr-defined]
    sys.modules |= {"distutils": package, "distutils.version": version}
