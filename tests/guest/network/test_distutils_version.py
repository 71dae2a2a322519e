"""Mininet imports where Python has no distutils."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mininet
import pytest

from testbed.guest.network.distutils_version import StrictVersion

REPOSITORY = Path(__file__).parents[2]
# An import system without distutils, as Python 3.12 and newer have it.
PROGRAM = """\
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"distutils", "_distutils_hack"}:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Absent())
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "distutils" else find_spec(name, *rest)
import testbed.guest.network.build
print(sys.modules["distutils.version"].StrictVersion.__module__)
"""


def test_the_network_is_imported_without_distutils() -> None:
    paths = f"{REPOSITORY}:{Path(mininet.__path__[0]).parent}"
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM], env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "testbed.guest.network.distutils_version"


def test_no_version_is_compared() -> None:
    with pytest.raises(NotImplementedError, match="Open vSwitch"):
        StrictVersion("1.10")
