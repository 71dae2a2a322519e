"""Building, with programs of the test's own in place of a compiler: the order of things, and every way to fail."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from testbed.engine.kernel import build, ensure_kernel, kernel_info
from testbed.engine.kernel.cache import CachedKernel, StoredInfo, cache_folder
from testbed.engine.kernel.packaged import PackagedKernel
from testbed.engine.kernel.recipe import Recipe
from testbed.engine.kernel.source import KernelSource
from testbed.errors import MissingError, TestbedError

REPOSITORY = Path(__file__).parents[3]
RECIPE = Recipe(
    config="CONFIG_NET=y\n",
    patches=(("one.patch", "--- a/Makefile\n+++ b/Makefile\n@@ -1 +1 @@\n-# unpatched\n+# patched\n"),),
)

# A source tree whose "kernel" is a shell script, made by the make goals that Linux has.
MAKEFILE = """\
# unpatched
allnoconfig:
\t@grep ^CONFIG $(KCONFIG_ALLCONFIG) > .config
linux:
\t@echo '  CC      init/main.o'; grep -q '^# patched' Makefile
\t@printf '#!/bin/sh\\n' > linux; chmod +x linux
kernelrelease:
\t@echo 6.12.1-testbed
"""


@pytest.fixture
def source(tmp_path: Path) -> KernelSource:
    """A packaged source with the Makefile above."""
    folder = tmp_path / "linux-source-6.12"
    folder.mkdir()
    (folder / "Makefile").write_text(MAKEFILE)
    archive = tmp_path / "linux-source-6.12.tar.xz"
    subprocess.run(["tar", "-cJf", archive, "-C", tmp_path, folder.name], check=True)
    return KernelSource(archive=archive, release=(6, 12), package_version="6.12.1-1", size_bytes=1)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: KernelSource) -> None:
    """A machine with that source, an empty cache, and a strip that leaves the script alone."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "strip").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "load_recipe", lambda: RECIPE)
    monkeypatch.setattr(build, "find_source", lambda: source)
    # Of the real source only some folders are unpacked, and tar complains about those that are not there.
    monkeypatch.setattr(
        build,
        "unpack_command",
        lambda source, into: ["tar", "-xf", str(source.archive), "-C", str(into), "--strip-components=1"],
    )


def built(said: list[str] | None = None) -> Path:
    return ensure_kernel(progress=(said if said is not None else []).append)


def test_it_is_built_once_and_then_found() -> None:
    said: list[str] = []
    kernel = built(said)
    assert kernel.is_file()
    assert "compiling 1/799 files" in said
    said.clear()
    assert built(said) == kernel
    assert not said


def test_nothing_but_kernel_description_and_log_is_left() -> None:
    assert sorted(file.name for file in built().parent.iterdir()) == ["build.log", "info.json", "linux"]


def test_a_damaged_kernel_is_named_and_built_anew() -> None:
    kernel = built()
    kernel.write_bytes(b"")
    assert kernel_info().path is None
    assert "checksum" in kernel_info().damage
    said: list[str] = []
    assert built(said).read_bytes()
    assert "is damaged" in said[0]
    assert not kernel_info().damage


def test_six_that_find_the_cache_empty_build_once_and_all_have_the_kernel() -> None:
    said: list[str] = []
    with ThreadPoolExecutor(6) as builders:
        kernels = list(builders.map(lambda _: built(said), range(6)))
    assert len(set(kernels)) == 1
    assert len([message for message in said if message.startswith("unpacking")]) == 1
    assert kernel_info().path == kernels[0]


def test_what_is_built_is_described() -> None:
    assert kernel_info().path is None
    path = built()
    kernel = kernel_info()
    assert kernel.path == path
    assert kernel.version == "6.12.1-testbed"
    assert kernel.source == "linux-source-6.12 6.12.1-1"
    assert kernel.options == ("CONFIG_NET=y",)
    assert kernel.size_bytes == path.stat().st_size
    assert kernel.hash == path.parent.name


def test_an_earlier_kernel_serves_where_the_source_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = built()
    monkeypatch.setattr(build, "find_source", lambda: None)
    assert built() == kernel
    assert kernel_info().path == kernel


def test_a_damaged_kernel_is_named_where_the_source_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = built()
    kernel.write_bytes(b"half")
    monkeypatch.setattr(build, "find_source", lambda: None)
    monkeypatch.setattr(build, "require_source", find_no_source)
    said: list[str] = []
    with pytest.raises(MissingError):
        built(said)
    assert said == [
        f"not used: the kernel in {kernel.parent} is damaged, its checksum is not the one that it was stored with"
    ]


def find_no_source() -> KernelSource:
    """What `require_source` does where there is none."""
    raise MissingError


def test_an_earlier_kernel_of_another_recipe_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    built()
    monkeypatch.setattr(build, "find_source", lambda: None)
    monkeypatch.setattr(build, "load_recipe", lambda: Recipe(config="CONFIG_INET=y\n", patches=()))
    monkeypatch.setattr("testbed.engine.kernel.source.SOURCE_FOLDER", Path("/nonexistent"))
    assert kernel_info().path is None


def packaged(monkeypatch: pytest.MonkeyPatch, folder: Path, *, problem: str = "") -> CachedKernel:
    """An installed package with a kernel of the recipe above."""
    kernel = CachedKernel(folder / "fedcba9876543210")
    kernel.folder.mkdir(parents=True)
    (kernel.folder / "draft").write_bytes(b"packaged")
    (kernel.folder / "draft").chmod(0o755)
    info = StoredInfo(
        recipe=RECIPE.hash, version="6.12.9-testbed", source="linux-source-6.12 6.12.9-1", compiler="gcc", options=[],
        files=1, size_bytes=8, sha256=hashlib.sha256(b"packaged").hexdigest(), built="2021-03-10T00:00:00+00:00",
    )  # fmt: skip
    kernel.store(kernel.folder / "draft", info)
    monkeypatch.setattr(build, "packaged_kernel", lambda _, **__: PackagedKernel(kernel, problem))
    return kernel


@pytest.mark.parametrize("has_source", [True, False])
def test_a_package_spares_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, has_source: bool) -> None:
    kernel = packaged(monkeypatch, tmp_path / "site")
    if not has_source:
        monkeypatch.setattr(build, "find_source", lambda: None)
    said: list[str] = []
    assert built(said) == kernel.program
    assert not said
    info = kernel_info()
    assert (info.path, info.hash, info.version) == (kernel.program, "fedcba9876543210", "6.12.9-testbed")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("has_source", [True, False])
def test_the_cache_comes_before_a_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, has_source: bool) -> None:
    earlier = built()
    packaged(monkeypatch, tmp_path / "site")
    if not has_source:
        monkeypatch.setattr(build, "find_source", lambda: None)
    assert built() == earlier
    assert kernel_info().path == earlier


def test_a_package_that_cannot_be_used_is_said_and_the_kernel_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = packaged(monkeypatch, tmp_path / "site", problem="it is of recipe 1111")
    assert kernel_info().path is None
    said: list[str] = []
    assert built(said) != package.program
    assert said[0] == "not used: it is of recipe 1111"
    assert kernel_info().unused_package == "it is of recipe 1111"


def test_what_a_package_is_made_of_is_never_a_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = packaged(monkeypatch, tmp_path / "site")
    said: list[str] = []
    assert build.build_kernel(progress=said.append).program != package.program


def test_a_failed_build_shows_the_end_of_the_log_and_leaves_only_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "LINK", ("nosuchgoal",))
    with pytest.raises(TestbedError, match=r"(?s)failed in: make .*No rule to make target.*the whole log: ") as failure:
        built()
    log = Path(str(failure.value).rpartition("the whole log: ")[2])
    assert "nosuchgoal" in log.read_text()
    assert sorted(file.name for file in log.parent.iterdir()) == ["build.log"]


def test_a_patch_that_does_not_apply_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    patches = (("one.patch", RECIPE.patches[0][1].replace("unpatched", "something else")),)
    monkeypatch.setattr(build, "load_recipe", lambda: Recipe(config=RECIPE.config, patches=patches))
    with pytest.raises(TestbedError, match="FAILED"):
        built()


def test_an_option_that_does_not_take_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "untaken_options", lambda *_: ["CONFIG_NET=y"])
    with pytest.raises(TestbedError, match="does not take CONFIG_NET=y"):
        built()


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "TOOL_PACKAGES", {"make": "make", "nosuchtool": "some-package"})
    with pytest.raises(MissingError, match="needs nosuchtool; install with: sudo apt-get install some-package"):
        built()


def test_a_full_disk_is_noticed_before_anything_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "ROOM_BYTES", 2**62)
    with pytest.raises(MissingError, match="make room"):
        built()


def test_a_cache_that_cannot_be_written_is_an_error_that_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(MissingError, match="export XDG_CACHE_HOME=FOLDER"):
        built()


class Noexec(NamedTuple):
    """What statvfs says of a file system on which nothing may be run."""

    f_flag: int = os.ST_NOEXEC


def test_a_cache_from_which_nothing_may_be_run_is_noticed_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.statvfs", lambda _: Noexec())
    said: list[str] = []
    with pytest.raises(MissingError, match="mounted noexec; name a folder on another one"):
        built(said)
    assert not said


@pytest.mark.parametrize("name", ["with space", "with:colon"])
def test_a_cache_in_which_linux_cannot_be_built_still_serves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
    assert built().is_relative_to(tmp_path / name)


def test_the_remains_of_a_builder_that_was_killed_are_removed(source: KernelSource) -> None:
    remains = cache_folder() / RECIPE.hash_with(source.identity) / "tree-abandoned"
    remains.mkdir(parents=True)
    built()
    assert not remains.exists()


def test_interrupting_removes_the_tree() -> None:
    def interrupt(message: str) -> None:
        if message.startswith("compiling"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_kernel(progress=interrupt)
    (folder,) = cache_folder().iterdir()
    assert sorted(file.name for file in folder.iterdir()) == ["build.log"]


def test_flags_of_a_make_that_calls_us_do_not_reach_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "--question")
    monkeypatch.setenv("ARCH", "arm")
    assert built().is_file()


def test_the_builder_needs_nothing_but_the_standard_library() -> None:
    """Make calls it before any package is installed."""
    command = [sys.executable, "-S", "-m", "testbed.engine.kernel", "--help"]
    environment = {"PYTHONPATH": str(REPOSITORY)}
    subprocess.run(command, env=environment, check=True, capture_output=True)
