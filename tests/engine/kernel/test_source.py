"""The source is found among what is installed; the patches fit it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from testbed.engine.kernel.recipe import load_recipe
from testbed.engine.kernel.source import find_source, require_source, unpack_command
from testbed.errors import MissingError

if TYPE_CHECKING:
    from pathlib import Path


def install(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"\0" * 10)


def test_the_release_that_the_patches_fit_is_found_among_others(tmp_path: Path) -> None:
    install(tmp_path, "linux-source-6.9.tar.xz", "linux-source-6.12.tar.xz", "linux-source-6.14.tar.xz")
    source = find_source(tmp_path)
    assert source is not None
    assert source.archive.name == "linux-source-6.12.tar.xz"


def test_a_release_that_the_patches_do_not_fit_is_named(tmp_path: Path) -> None:
    install(tmp_path, "linux-source-6.14.tar.xz", "linux-source-6.9.tar.xz")
    with pytest.raises(MissingError, match=r"there: 6\.9, 6\.14, which our patches do not fit"):
        require_source(tmp_path)


@pytest.mark.parametrize(
    "installed",
    [[], ["linux-source-6.1.tar.xz"], ["linux-source-6.12"], ["linux-patch-6.12-rt.patch.xz"]],
    ids=["nothing", "another release", "not a tarball", "not a source"],
)
def test_a_source_that_is_missing_names_the_command_that_installs_it(tmp_path: Path, installed: list[str]) -> None:
    install(tmp_path, *installed)
    with pytest.raises(MissingError, match=r"sudo apt-get install linux-source-6\.12.* for Ubuntu, .*\.deb"):
        require_source(tmp_path)


def test_the_identity_does_not_depend_on_where_or_when_it_was_installed(tmp_path: Path) -> None:
    identities = set()
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        install(folder, "linux-source-6.12.tar.xz")
        identities.add(require_source(folder).identity)
    assert len(identities) == 1


def test_unpacking_keeps_to_what_is_compiled(tmp_path: Path) -> None:
    install(tmp_path, "linux-source-6.12.tar.xz")
    command = unpack_command(require_source(tmp_path), tmp_path)
    assert "linux-source-6.12/net" in command
    assert not [word for word in command if "gpu" in word or "arch/arm" in word]


def test_the_patches_apply_to_the_installed_source(tmp_path: Path) -> None:
    source = find_source()
    if source is None:
        pytest.skip("no Linux source is installed; mend with: sudo apt-get install linux-source-6.12")
    patches = load_recipe().patches
    lines = [line for _, text in patches for line in text.splitlines()]
    files = sorted({line.removeprefix("--- a/") for line in lines if line.startswith("--- a/")})
    members = [f"{source.folder_name}/{file}" for file in files]
    subprocess.run(
        # The files lie in the first half of the tarball: --occurrence stops tar once it has them all.
        ["tar", "-xf", source.archive, "-C", tmp_path, "--strip-components=1", "--occurrence", *members],
        check=True,
    )
    for name, text in patches:
        applied = subprocess.run(
            ["patch", "-p1", "--fuzz=0"], input=text, cwd=tmp_path, text=True, capture_output=True, check=False
        )
        assert applied.returncode == 0, f"{name}: {applied.stdout}"
