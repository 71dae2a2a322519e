"""A kernel that is installed as a package is used where it fits; where it does not, that is said."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from testbed.engine.kernel.packaged import PackagedKernel, architecture_of, packaged_kernel

RECIPE = "0123456789abcdef"


def program(machine: int) -> bytes:
    """The beginning of an ELF program for a machine."""
    return b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + (2).to_bytes(2, "little") + machine.to_bytes(2, "little")


X86_64, AARCH64 = program(62), program(183)


def install(monkeypatch: pytest.MonkeyPatch, site: Path, *, content: bytes = X86_64, recipe: str = RECIPE) -> Path:
    """Put a package there; return the folder of its kernel."""
    folder = site / "throttling_testbed_kernel" / "fedcba9876543210"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "linux").write_bytes(content)
    (folder / "linux").chmod(0o755)
    described = {
        "recipe": recipe, "version": "6.12.117-testbed", "source": "linux-source-6.12 6.12.117-1", "compiler": "gcc",
        "options": [], "files": 1, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
        "built": "2021-03-10T00:00:00+00:00",
    }  # fmt: skip
    (folder / "info.json").write_text(json.dumps(described))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "throttling_testbed_kernel", raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return folder


def found() -> PackagedKernel:
    package = packaged_kernel(RECIPE)
    assert package is not None
    return package


def test_a_package_of_this_recipe_for_this_machine_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = install(monkeypatch, tmp_path)
    package = found()
    assert package.kernel is not None
    assert package.kernel.program == folder / "linux"
    assert not package.problem


def test_without_a_package_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "throttling_testbed_kernel", raising=False)
    assert packaged_kernel(RECIPE) is None


def test_one_of_another_recipe_is_named_with_both_and_what_to_type(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, recipe="1111111111111111")
    problem = found().problem
    assert "is of recipe 1111111111111111, this testbed's is 0123456789abcdef" in problem
    assert "install the wheels of one release together: pip install" in problem


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (AARCH64, "is for aarch64, this machine is x86_64"),
        (program(9999), "for machine 9999"),
        (b"#!/bin/sh", "no pro"),
    ],
)
def test_one_for_another_machine_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, what: str
) -> None:
    install(monkeypatch, tmp_path, content=content)
    assert what in found().problem


def test_one_that_was_changed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = install(monkeypatch, tmp_path)
    (folder / "linux").write_bytes(X86_64 + b"\0")
    assert "checksum" in found().problem
    assert "pip install --force-reinstall" in found().problem


def test_its_checksum_is_looked_at_only_where_it_would_be_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (install(monkeypatch, tmp_path) / "linux").write_bytes(X86_64 + b"\0")
    package = packaged_kernel(RECIPE, in_full=False)
    assert package is not None
    assert not package.problem


def test_of_two_that_an_installation_left_the_one_that_fits_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = install(monkeypatch, tmp_path)
    older = folder.with_name("0000000000000000")
    older.mkdir()
    (older / "info.json").write_text("{")
    package = found()
    assert package.kernel is not None
    assert package.kernel.folder == folder
    assert not package.problem


def test_one_that_may_not_be_run_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (install(monkeypatch, tmp_path) / "linux").chmod(0o644)
    assert "it is not executable" in found().problem


@pytest.mark.parametrize("lost", ["linux", "info.json"])
def test_half_a_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: str) -> None:
    (install(monkeypatch, tmp_path) / lost).unlink()
    assert found().problem


def test_a_spoilt_description_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (install(monkeypatch, tmp_path) / "info.json").write_text("{")
    assert "has no description" in found().problem


def test_a_module_of_that_name_from_nowhere_is_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "throttling_testbed_kernel", type(sys)("throttling_testbed_kernel"))
    assert packaged_kernel(RECIPE) is None


@pytest.mark.parametrize("length", range(len(X86_64)))
def test_a_header_that_is_cut_short_names_no_machine(tmp_path: Path, length: int) -> None:
    (tmp_path / "linux").write_bytes(X86_64[:length])
    assert not architecture_of(tmp_path / "linux")


def test_a_fifo_is_no_program_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "linux")
    assert not architecture_of(tmp_path / "linux")


def test_this_interpreter_is_for_this_machine() -> None:
    assert architecture_of(Path(sys.executable).resolve()) in {"x86_64", "aarch64", "i686", "ppc64le", "s390x"}
