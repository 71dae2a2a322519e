"""Kernels are kept in the user's cache folder, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from testbed.engine.kernel.cache import CachedKernel, StoredInfo, cache_folder, cached_kernels
from testbed.errors import MissingError

KERNEL = b"kernel"


def info(*, recipe: str = "0123", built: str = "2021-03-10T00:00:00+00:00") -> StoredInfo:
    return StoredInfo(
        recipe=recipe,
        version="6.12.117-testbed",
        source="linux-source-6.12 6.12.117-1",
        compiler="gcc 12.2.0",
        options=["CONFIG_NET=y"],
        files=1,
        size_bytes=6,
        sha256=hashlib.sha256(KERNEL).hexdigest(),
        built=built,
    )


def finished(folder: Path, stored: StoredInfo) -> CachedKernel:
    folder.mkdir(parents=True)
    program = folder / "linux.new"
    program.write_bytes(KERNEL)
    program.chmod(0o755)
    kernel = CachedKernel(folder)
    kernel.store(program, stored)
    return kernel


def test_it_lies_under_xdg_cache_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere/cache")
    assert cache_folder() == Path("/somewhere/cache/throttling-testbed/kernel")


@pytest.mark.parametrize("value", [None, "", "relative/path"])
def test_it_lies_under_the_home_folder_otherwise(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_folder() == Path("/home/someone/.cache/throttling-testbed/kernel")


def test_a_finished_kernel_is_read_back(tmp_path: Path) -> None:
    kernel = finished(tmp_path / "a", info())
    assert kernel.stored() == info()
    assert sorted(file.name for file in kernel.folder.iterdir()) == ["info.json", "linux"]


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        (b"", 0o755), (KERNEL[:-1], 0o755), (bytes(len(KERNEL)), 0o755), (KERNEL + b"x", 0o755), (b"kernem", 0o755),
        (KERNEL, 0o644),
    ],
    ids=["empty", "truncated", "zeroed", "longer", "one bit", "not executable"],
)  # fmt: skip
def test_a_damaged_kernel_counts_as_none_and_the_damage_is_named(tmp_path: Path, content: bytes, mode: int) -> None:
    kernel = finished(tmp_path / "a", info())
    kernel.program.write_bytes(content)
    kernel.program.chmod(mode)
    assert kernel.stored() is None
    assert kernel.damage() == (
        "it is not executable" if content == KERNEL else "its checksum is not the one that it was stored with"
    )


def test_a_folder_in_the_place_of_the_kernel_counts_as_none_and_is_replaced(tmp_path: Path) -> None:
    kernel = finished(tmp_path / "a", info())
    (kernel.folder / "linux.new").write_bytes(KERNEL)
    (kernel.folder / "linux.new").chmod(0o755)
    kernel.program.unlink()
    kernel.program.mkdir()
    assert kernel.stored() is None
    kernel.store(kernel.folder / "linux.new", info())
    assert kernel.stored() == info()


def test_a_description_without_a_checksum_is_no_description(tmp_path: Path) -> None:
    kernel = finished(tmp_path / "a", info())
    description = json.loads((kernel.folder / "info.json").read_text())
    del description["sha256"]
    (kernel.folder / "info.json").write_text(json.dumps(description))
    assert kernel.stored() is None
    assert kernel.damage() == "it has no description"


def test_a_kernel_as_it_was_stored_has_no_damage(tmp_path: Path) -> None:
    assert not finished(tmp_path / "a", info()).damage()
    assert not CachedKernel(tmp_path / "b").damage()


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)  # no entry in passwd
    with pytest.raises(MissingError, match="export XDG_CACHE_HOME=FOLDER"):
        cache_folder()


def test_what_is_no_description_is_none_and_is_not_waited_for(tmp_path: Path) -> None:
    kernel = finished(tmp_path / "a", info())
    description = kernel.folder / "info.json"
    for text in ("[" * 100_000, "{", "[]", "\0"):
        description.write_text(text)
        assert kernel.described() is None
    description.unlink()
    os.mkfifo(description)
    assert kernel.damage() == "it has no description"


def test_a_fifo_in_the_place_of_the_kernel_is_not_waited_for(tmp_path: Path) -> None:
    kernel = finished(tmp_path / "a", info())
    kernel.program.unlink()
    os.mkfifo(kernel.program)
    assert kernel.damage() == "it is no file"


@pytest.mark.parametrize("home", ["", "relative/path", "."])
def test_a_home_that_is_no_path_from_the_root_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    with pytest.raises(MissingError, match=rf"HOME is '{home}'.*export XDG_CACHE_HOME=FOLDER"):
        cache_folder()


@pytest.mark.parametrize("lost", ["linux", "info.json"])
def test_half_a_kernel_counts_as_none(tmp_path: Path, lost: str) -> None:
    kernel = finished(tmp_path / "a", info())
    (kernel.folder / lost).unlink()
    assert kernel.stored() is None


def test_a_spoilt_description_counts_as_none(tmp_path: Path) -> None:
    kernel = finished(tmp_path / "a", info())
    (kernel.folder / "info.json").write_text("{")
    assert kernel.stored() is None


def test_kernels_of_one_recipe_come_oldest_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    newer = finished(cache_folder() / "a", info(built="2021-03-12T00:00:00+00:00"))
    older = finished(cache_folder() / "b", info(built="2021-03-11T00:00:00+00:00"))
    finished(cache_folder() / "c", info(recipe="4567"))
    assert cached_kernels("0123") == [older, newer]
