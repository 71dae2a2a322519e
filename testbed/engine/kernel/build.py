"""Building the kernel: unpack, patch, configure, check, compile, and move the result into the cache.

Not for: the content of the configuration (config), the choice of the source (source.py), the cache itself (cache.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from testbed.engine.kernel.cache import (
    CachedKernel,
    KernelInfo,
    StoredInfo,
    cache_folder,
    cached_kernels,
    checksum,
    damaged_kernels,
)
from testbed.engine.kernel.compile_progress import CompileProgress
from testbed.engine.kernel.packaged import packaged_kernel
from testbed.engine.kernel.recipe import CONFIGURE, IDENTITY, LINK, Recipe, load_recipe, untaken_options
from testbed.engine.kernel.source import KernelSource, find_source, require_source, unpack_command
from testbed.errors import MissingError, TestbedError
from testbed.records.lock import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["TOOL_PACKAGES", "build_kernel", "ensure_kernel", "kernel_info", "missing_tools"]

# Each program that a build runs, and the Debian package that has it.
TOOL_PACKAGES = {
    "bc": "bc",
    "bison": "bison",
    "flex": "flex",
    "gcc": "gcc libc6-dev",
    "ld": "binutils",
    "make": "make",
    "patch": "patch",
    "tar": "tar",
    "xz": "xz-utils",
}
ROOM_BYTES = 800_000_000  # source and objects of one build

_EXPECTED_FILES = 799  # compiled by the last build with Linux 6.12; for the progress display only
_LOG_TAIL_LINES = 20
_TREE_PREFIX = "tree-"


def ensure_kernel(*, progress: Callable[[str], None]) -> Path:
    """Return the kernel: the cache's, else an installed package's, else one that is built now.

    Where the Linux source is not installed, a kernel made earlier by the same recipe will do.

    Args:
        progress: Called with a line for people whenever there is something new to say; never when nothing is built.

    Raises:
        MissingError: The Linux source, a build tool or room on the disk is missing.
        TestbedError: The build failed.
    """
    recipe = load_recipe()
    source = find_source()
    found = _look(recipe, source)
    if found.stored is not None:
        return found.kernel.program
    if found.unused_package:
        progress(f"not used: {found.unused_package}")
    if source is None:  # else the one that is damaged is told as it is built again
        for folder, damage in damaged_kernels():
            progress(f"not used: the kernel in {folder} is damaged, {damage}")
    return _built(recipe, source or require_source(), progress).program


def build_kernel(*, progress: Callable[[str], None]) -> CachedKernel:
    """Return the kernel of the Linux source that is installed here: the cache's, else one that is built now.

    Unlike `ensure_kernel` it takes no package's, so that a package can be made of it.

    Args:
        progress: As of `ensure_kernel`, with the same errors.
    """
    return _built(load_recipe(), find_source() or require_source(), progress)


def _built(recipe: Recipe, source: KernelSource, progress: Callable[[str], None]) -> CachedKernel:
    kernel = CachedKernel(cache_folder() / recipe.hash_with(source.identity))
    if kernel.stored():
        return kernel
    _make_folder(kernel.folder)
    if damage := kernel.damage():
        progress(f"building again: the kernel in {kernel.folder} is damaged, {damage}")
    _require_tools()
    waiting = "waiting for another process that builds the same kernel"
    with locked(kernel.folder, when_busy=lambda: progress(waiting)):
        if not kernel.stored():
            _build(kernel, recipe, source, progress)
    return kernel


def kernel_info() -> KernelInfo:
    """Say what is known of the kernel that `ensure_kernel` would return, without building it."""
    recipe = load_recipe()
    source = find_source()
    found = _look(recipe, source)
    kernel, stored = found.kernel, found.stored
    return KernelInfo(
        path=kernel.program if stored else None,
        hash=kernel.folder.name,
        version=stored["version"] if stored else "",
        source=stored["source"] if stored else source.name if source else "",
        options=tuple(f"{option}={value}" for option, value in recipe.options.items()),
        size_bytes=stored["size_bytes"] if stored else 0,
        built=stored["built"] if stored else "",
        damage="" if stored else kernel.damage(),
        unused_package=found.unused_package,
    )


class _Found(NamedTuple):
    """The kernel to run, what is said of it (None: it is not there yet), and why a package's is not the one."""

    kernel: CachedKernel
    stored: StoredInfo | None
    unused_package: str


def _look(recipe: Recipe, source: KernelSource | None) -> _Found:
    """Look for a kernel of this recipe that need not be built; each is read once, for its checksum takes a while.

    A package's may be of another Linux source than the one that is installed here: its own hash says so in every run.
    """
    kernel = CachedKernel(cache_folder() / recipe.hash_with(source.identity if source else ""))
    if source is None and (earlier := cached_kernels(recipe.hash)):
        kernel = earlier[-1]
        stored = kernel.described()  # its checksum has just been looked at
    else:
        stored = kernel.stored()
    packaged = packaged_kernel(recipe.hash, in_full=stored is None)
    if packaged is None or packaged.problem or packaged.kernel is None:
        return _Found(kernel, stored, "" if packaged is None else packaged.problem)
    return _Found(kernel, stored, "") if stored else _Found(packaged.kernel, packaged.kernel.described(), "")


def missing_tools() -> list[str]:
    """List the programs that a build needs and this machine has not."""
    return [tool for tool in TOOL_PACKAGES if shutil.which(tool) is None]


def _require_tools() -> None:
    if missing := missing_tools():
        packages = " ".join(TOOL_PACKAGES[tool] for tool in missing)
        raise MissingError(
            f"building the kernel needs {', '.join(missing)}; install with: sudo apt-get install {packages}"
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingError(
            f"the kernel cannot be kept in {folder} ({error.strerror}); "
            "name a folder that can be written with: export XDG_CACHE_HOME=FOLDER"
        ) from error
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise MissingError(
            f"a kernel in {folder} could not be run: that file system is mounted noexec; "
            "name a folder on another one with: export XDG_CACHE_HOME=FOLDER"
        )


def _build(kernel: CachedKernel, recipe: Recipe, source: KernelSource, progress: Callable[[str], None]) -> None:
    """Build in a folder of its own, which is removed whatever happens."""
    with _workplace(kernel.folder) as tree, kernel.log.open("w") as log:
        steps = _Steps(tree, log)
        progress(f"unpacking {source.name}")
        steps.run(unpack_command(source, tree))
        for name, text in recipe.patches:
            progress(f"applying {name}")
            (tree / name).write_text(text)
            steps.run(["patch", "--strip=1", "--forward", "--fuzz=0", f"--input={name}"])
        _configure(steps, recipe, progress)
        compiled = _compile(steps, progress)
        progress("moving the kernel into the cache")
        program = tree / "linux"
        steps.run(["strip", str(program)])
        info = StoredInfo(
            recipe=recipe.hash,
            version=steps.output(["make", "--silent", "ARCH=um", "kernelrelease"]),
            source=source.name,
            compiler=steps.output(["gcc", "--version"]).splitlines()[0],
            options=[f"{option}={value}" for option, value in recipe.options.items()],
            files=compiled,
            size_bytes=program.stat().st_size,
            sha256=checksum(program),
            built=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        ready = kernel.folder / "linux.new"
        shutil.copy2(program, ready)
        kernel.store(ready, info)


def _configure(steps: _Steps, recipe: Recipe, progress: Callable[[str], None]) -> None:
    """Configure, and refuse a configuration that lost an option: the guest would fail later and elsewhere."""
    progress("configuring")
    wanted = steps.tree / "wanted.config"
    wanted.write_text(recipe.config)
    steps.run(["make", *CONFIGURE, f"KCONFIG_ALLCONFIG={wanted}"])
    if lost := untaken_options(recipe.options, (steps.tree / ".config").read_text()):
        raise TestbedError(
            f"this Linux source does not take {', '.join(lost)}; "
            "install the one that the testbed is written for with: sudo apt-get install linux-source-6.12"
        )


def _compile(steps: _Steps, progress: Callable[[str], None]) -> int:
    """Compile on all processors, with one job more for the times when one waits; returns the number of files."""
    count = CompileProgress(expected=_EXPECTED_FILES)

    def on_line(line: str) -> None:
        if count.advance(line):
            progress(str(count))

    jobs = len(os.sched_getaffinity(0)) + 1
    steps.run(["make", f"--jobs={jobs}", *LINK], on_line=on_line)
    return count.compiled


class _Steps:
    """Runs the commands of one build in its source tree, with everything that they print in one log."""

    def __init__(self, tree: Path, log: IO[str]) -> None:
        self.tree = tree
        self._log = log
        # Nothing else is passed on: flags of a make that called us, or the user's CC or ARCH, would change the kernel.
        self._environment = {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath), "HOME": str(tree), **IDENTITY}

    def run(self, command: Sequence[str], *, on_line: Callable[[str], None] | None = None) -> None:
        """Run a command to its end.

        Args:
            command: Program and arguments.
            on_line: Called with each line that it prints.

        Raises:
            TestbedError: It failed; the message shows the end of the log.
        """
        self._log.write(f"$ {' '.join(command)}\n")
        with subprocess.Popen(
            command,
            cwd=self.tree,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    self._log.write(line)
                    if on_line:
                        on_line(line)
            except BaseException:
                process.terminate()  # Ctrl-C: leave no compiler behind
                raise
        self._log.flush()
        if process.returncode != 0:
            raise TestbedError(self._failure(command))

    def output(self, command: Sequence[str]) -> str:
        """Run a short command and return what it prints, stripped."""
        lines: list[str] = []
        self.run(command, on_line=lines.append)
        return "".join(lines).strip()

    def _failure(self, command: Sequence[str]) -> str:
        log = Path(self._log.name)
        tail = log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "\n".join([f"building the kernel failed in: {' '.join(command)}", *tail, f"the whole log: {log}"])


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """Give a folder to build in, under the cache or, where Linux could not be built there, under TMPDIR.

    Raises:
        MissingError: There is not enough room.
    """
    # Linux' own Makefile refuses a path with a space or a colon in it.
    parent = Path(tempfile.gettempdir()) if {" ", ":"} & set(str(folder)) else folder
    free = shutil.disk_usage(parent).free
    if free < ROOM_BYTES:
        raise MissingError(
            f"building the kernel needs {ROOM_BYTES // 10**6} MB in {parent}, where {free // 10**6} MB are free; "
            "make room, or name another folder with: export XDG_CACHE_HOME=FOLDER"
        )
    for abandoned in parent.glob(f"{_TREE_PREFIX}*") if parent == folder else ():
        shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_TREE_PREFIX, dir=parent) as tree:
        yield Path(tree)
