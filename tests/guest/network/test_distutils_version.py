"""Mininet imports where Python has no distutils."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mininet
import pytest

from testbed.guest.network.distutils_version import StrictVersion

REPOSITORY = Path(__file__).parents[3]
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
import mininet.node
print(mininet.node.StrictVersion.__module__)
"""


def test_the_network_is_imported_without_distutils() -> None:
    paths = f"{REPOSITORY}:{Path(mininet.__path__[0]).parent}"
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM], env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "testbed.guest.network.distutils_version"


def test_nothing_else_finds_the_stand_in_and_setuptools_stays_where_it_is() -> None:
    program = (
        "import sys, testbed.guest.network.build; print([n for n in ('distutils', 'setuptools') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_version_is_compared() -> None:
    with pytest.raises(NotImplementedError, match="Open vSwitch"):
        StrictVersion("1.10")
