"""A handshake with nobody makes OpenSSL's generators; modules come from one file."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from testbed.engine.prepare.guest_archive import _write
from testbed.guest.start import StoredModules, make_generators

SOURCES = {
    "stored/__init__.py": "WHAT = 'package'",
    "stored/part.py": "from stored import WHAT",
    "alone.py": "X = __name__",
}


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredModules:
    for name, text in SOURCES.items():
        (tmp_path / "sources" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sources" / name).write_text(text)
    _write(tmp_path / "some.modules", {name: str(tmp_path / "sources" / name) for name in SOURCES})
    found = StoredModules(str(tmp_path / "some.modules"))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, found])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return found


def test_a_handshake_with_nobody_is_left_where_it_waits() -> None:
    make_generators()


def test_modules_and_packages_come_from_the_file(stored: StoredModules) -> None:
    part, alone = (importlib.import_module(name) for name in ("stored.part", "alone"))
    assert (part.WHAT, alone.X) == ("package", "alone")
    assert part.__loader__ is stored
    assert stored.get_code("alone").co_filename == "alone.py"


@pytest.mark.parametrize("name", ["stored.other", "other", "alone.more", ""])
def test_what_is_not_in_the_file_is_left_to_others(stored: StoredModules, name: str) -> None:
    assert stored.find_spec(name) is None


def test_the_rest_of_a_package_of_pythons_library_is_found_in_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(importlib.import_module("wsgiref").__file__ or "")
    _write(tmp_path / "some.modules", {"wsgiref/__init__.py": str(package)})
    monkeypatch.setattr(sys, "meta_path", [StoredModules(str(tmp_path / "some.modules")), *sys.meta_path])
    for name in [name for name in sys.modules if name.partition(".")[0] == "wsgiref"]:
        monkeypatch.delitem(sys.modules, name)
    assert importlib.import_module("wsgiref.util").__file__ == str(package.with_name("util.py"))


def test_two_files_of_the_same_sources_are_equal(stored: StoredModules, tmp_path: Path) -> None:
    del stored
    backwards = {name: str(tmp_path / "sources" / name) for name in reversed(SOURCES)}
    _write(tmp_path / "again.modules", backwards)
    assert (tmp_path / "again.modules").read_bytes() == (tmp_path / "some.modules").read_bytes()
