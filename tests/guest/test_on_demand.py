"""Packages of one file are found where a plan asks for them, and a loaded package finds the rest of itself."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from testbed.engine.prepare.guest_archive import _write
from testbed.guest.on_demand import find_protocols
from testbed.guest.start import StoredModules

if TYPE_CHECKING:
    from pathlib import Path


def stored(folder: Path, name: str, sources: dict[str, str]) -> str:
    for each, text in sources.items():
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        (folder / each).write_text(text)
    _write(folder / name, {each: str(folder / each) for each in sources})
    return str(folder / name)


def test_where_a_plan_asks_a_loaded_package_finds_the_rest_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stored(tmp_path, "first.modules", {"parted/__init__.py": ""})
    stored(tmp_path, "protocols.modules", {"parted/more.py": "VALUE = 7", "quite_another.py": "VALUE = 8"})
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.setattr(sys, "meta_path", [StoredModules(first), *sys.meta_path])
    importlib.import_module("parted")
    plain: Any = {"origins": {"a": {"names": []}}}
    asking: Any = {"origins": {"a": {"names": []}, "b": {"names": [], "protocols": ["http/3"]}}}
    before = [*sys.meta_path], [*sys.path]
    find_protocols(plain, str(tmp_path))
    assert (sys.meta_path, sys.path) == before
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("parted.more")
    find_protocols(asking, str(tmp_path))
    assert importlib.import_module("parted.more").VALUE == 7
    assert importlib.import_module("quite_another").VALUE == 8
