"""What a release consists of: both wheels, and what goes with the kernel's."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.engine.kernel.recipe import load_recipe
from testbed.engine.kernel.source import find_source

if TYPE_CHECKING:
    from testbed.engine.kernel.cache import KernelInfo

ROOT = Path(__file__).resolve().parents[1]
KERNEL = ROOT / "packages" / "kernel"


def build(folder: Path, target: str, into: Path, **environment: str) -> Path:
    """Build as `make wheel` does; return the one file that was made."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)]
    subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=True, capture_output=True)
    (made,) = into.iterdir()
    return made


def requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        lines = file.read(name).decode().splitlines()
    return [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]


def test_this_recipe_has_a_number() -> None:
    """A wheel of another recipe is another version: who changes the recipe adds a line."""
    lines = [line.split() for line in (KERNEL / "recipes").read_text().splitlines() if not line.startswith("#")]
    assert [int(number) for number, _ in lines] == list(range(1, len(lines) + 1))
    assert lines[-1][1] == load_recipe().hash, f"add to {KERNEL / 'recipes'}: {len(lines) + 1}  {load_recipe().hash}"


def test_the_kernel_that_was_compiled_here_is_byte_for_byte_the_one_of_the_same_packages(kernel: KernelInfo) -> None:
    """Nobody need believe the wheel: whoever compiles it has the same bytes, and CI does."""
    lines = [line.split() for line in (KERNEL / "builds").read_text().splitlines() if not line.startswith("#")]
    recipe = load_recipe().hash
    known = [(sha256, packages) for made_by, sha256, *packages in lines if made_by == recipe]
    assert known, f"no line of {KERNEL / 'builds'} is for the recipe {recipe}; add what it gives here"
    if shutil.which("dpkg-query") is None:
        pytest.skip("packages are not Debian's here: another compiler makes other bytes")
    expected = [sha256 for sha256, packages in known if all(map(is_installed, packages))]
    if not expected:
        pytest.skip(f"no line of {KERNEL / 'builds'} is for the packages here: another compiler makes other bytes")
    assert kernel.path is not None
    assert hashlib.sha256(kernel.path.read_bytes()).hexdigest() == expected[0], (
        f"if older packages made it, remove {kernel.path.parent}, then: testbed kernel build"
    )


def is_installed(package: str) -> bool:
    """Whether Debian's package is here in just this version, both with an equals sign between them."""
    name, version = package.split("=")
    command = ["dpkg-query", "--show", "--showformat=${Version}", name]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == version


@pytest.mark.parametrize("version", [None, "6.12.117.post1"])
def test_only_a_released_wheel_depends_on_the_kernels(tmp_path: Path, version: str | None) -> None:
    wheel = build(ROOT, "wheel", tmp_path, **({} if version is None else {"TESTBED_KERNEL_VERSION": version}))
    unconditional = [each for each in requirements(wheel) if "testbed-kernel" in each and "extra" not in each]
    if version is None:
        assert not unconditional
    else:
        (requirement,) = unconditional
        assert requirement.startswith("throttling-testbed-kernel==6.12.117.post1;")
        assert "linux" in requirement
        assert "x86_64" in requirement


WITH_SOURCE = pytest.mark.skipif(
    find_source() is None, reason="the source of Linux is not installed: its licence is taken from it"
)


@WITH_SOURCE
@pytest.mark.usefixtures("kernel")
def test_the_kernels_wheel_has_its_licence_and_all_that_it_was_made_by(tmp_path: Path) -> None:
    wheel = build(KERNEL, "wheel", tmp_path)
    assert wheel.stat().st_size < 5_000_000
    with zipfile.ZipFile(wheel) as file:
        made_by = {path.name: path for name in file.namelist() if "/made-by/" in (path := Path(name)).as_posix()}
        kept = {name: file.read(path.as_posix()) for name, path in made_by.items()}
        licences = {Path(name).name for name in file.namelist() if "/licenses/" in name}
        notice = file.read("throttling_testbed_kernel/NOTICE").decode()
    recipe = ROOT / "testbed" / "engine" / "kernel"
    assert kept == {path.name: path.read_bytes() for path in recipe.iterdir() if path.is_file()}
    assert {"config", "seed.patch", "build.py"} <= set(kept)
    assert licences == {"COPYING", "GPL-2.0", "Linux-syscall-note"}
    source = find_source()
    assert source is not None
    with source.archive.open("rb") as archive:
        assert f"SHA-256 {hashlib.file_digest(archive, 'sha256').hexdigest()}" in notice
    assert "$" not in notice


@WITH_SOURCE
def test_the_kernels_source_distribution_makes_the_same_kernel_and_has_no_binary(tmp_path: Path) -> None:
    archive = build(KERNEL, "sdist", tmp_path / "dist")
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path], check=True)
    (tree,) = (path for path in tmp_path.iterdir() if path.name.startswith("throttling_testbed_kernel-"))
    command = "from testbed.engine.kernel.recipe import load_recipe; print(load_recipe().hash)"
    # In the unpacked tree alone, as somebody would make it who has nothing else.
    found = subprocess.run(
        [sys.executable, "-S", "-B", "-c", command], cwd=tree, env={}, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == load_recipe().hash
    assert {"COPYING", "GPL-2.0", "Linux-syscall-note"} == {path.name for path in (tree / "licences").iterdir()}
    assert "GNU GENERAL PUBLIC LICENSE" in (tree / "licences" / "GPL-2.0").read_text()
    assert not [path for path in tree.rglob("*") if path.is_file() and b"\0" in path.read_bytes()]
