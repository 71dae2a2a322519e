"""Packages of one archive find modules in another, where a plan asks for them."""

from __future__ import annotations

import importlib
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from testbed.guest.on_demand import find_protocols

if TYPE_CHECKING:
    from pathlib import Path


def test_where_a_plan_asks_a_loaded_package_finds_the_rest_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "start.zip", "w") as file:
        file.writestr("parted/__init__.py", "")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as file:
        file.writestr("parted/more.py", "VALUE = 7")
        file.writestr("quite_another.py", "VALUE = 8")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "start.zip"), *sys.path])
    importlib.import_module("parted")
    plain: Any = {"origins": {"a": {"names": []}}}
    asking: Any = {"origins": {"a": {"names": []}, "b": {"names": [], "protocols": ["http/3"]}}}
    before = [*sys.path]
    find_protocols(plain, str(tmp_path), str(tmp_path / "more.zip"))
    assert sys.path == before
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("parted.more")
    find_protocols(asking, str(tmp_path), str(tmp_path / "more.zip"))
    assert importlib.import_module("parted.more").VALUE == 7
    assert importlib.import_module("quite_another").VALUE == 8
    for name in ("parted", "parted.more", "quite_another"):
        monkeypatch.delitem(sys.modules, name)
