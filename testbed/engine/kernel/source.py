"""The Linux source that the distribution ships as a package: finding it, and unpacking the part that is compiled.

Not for: changing or compiling it (build.py).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import MissingError

__all__ = ["KernelSource", "find_source", "require_source", "unpack_command"]

SOURCE_FOLDER = Path("/usr/src")
RELEASE = (6, 12)  # the only one that the patches fit

_ARCHIVE = re.compile(r"linux-source-(\d+)\.(\d+)\.tar\.xz")

# Folders that a User-Mode Linux kernel with our options is compiled from. Of all the others, whose drivers and
# architectures are most of the source, only the build files are unpacked.
_COMPILED = (
    "arch/um",
    "arch/x86",
    "block",
    "crypto",
    "drivers/base",
    "drivers/char",
    "drivers/net/*.[ch]",
    "drivers/tty",
    "fs",
    "include",
    "init",
    "io_uring",
    "ipc",
    "kernel",
    "lib",
    "mm",
    "net",
    "scripts",
    "security",
    "tools/build",
    "tools/include",
    "usr",
)
_BUILD_FILES = ("Kbuild", "Kconfig", "Makefile", "*/Kbuild*", "*/Kconfig*", "*/Makefile*")


@dataclass(frozen=True, slots=True)
class KernelSource:
    """A packaged Linux source.

    Args:
        archive: The tarball.
        release: Major and minor version, as in its name.
        package_version: Version of the package that it belongs to; empty where that is not known.
        size_bytes: Size of the tarball.
    """

    archive: Path
    release: tuple[int, int]
    package_version: str
    size_bytes: int

    @property
    def name(self) -> str:
        """Package and version, for people: ``linux-source-6.12 6.12.117-1``."""
        return f"{self.folder_name} {self.package_version}".strip()

    @property
    def identity(self) -> str:
        """What tells this source from every other, the same on every machine that has it."""
        return f"{self.name} {self.size_bytes}"

    @property
    def folder_name(self) -> str:
        """The folder that everything in the tarball lies under."""
        return self.archive.name.removesuffix(".tar.xz")


def find_source(folder: Path = SOURCE_FOLDER) -> KernelSource | None:
    """Find Linux 6.12.

    Returns:
        The source, or None where it is not installed.
    """
    archive = _installed(folder).get(RELEASE)
    if archive is None:
        return None
    return KernelSource(
        archive=archive,
        release=RELEASE,
        package_version=_package_version(archive.name.removesuffix(".tar.xz")),
        size_bytes=archive.stat().st_size,
    )


def require_source(folder: Path = SOURCE_FOLDER) -> KernelSource:
    """Find a source as `find_source` does.

    Raises:
        MissingError: It is not installed.
    """
    if source := find_source(folder):
        return source
    others = ", ".join(f"{major}.{minor}" for major, minor in sorted(_installed(folder)))
    raise MissingError(
        f"no source of Linux 6.12 in {folder}{f' (there: {others}, which our patches do not fit)' if others else ''}; "
        "install it with: sudo apt-get install linux-source-6.12 (a package of Debian 12 and 13; for Ubuntu, fetch the "
        "file of that package, linux-source-6.12_*_all.deb, from Debian, then: sudo apt-get install ./FILE), or "
        "install the finished kernel, the wheel throttling-testbed-kernel, which `make wheel` makes on such a machine"
    )


def _installed(folder: Path) -> dict[tuple[int, int], Path]:
    """Return every packaged source, by release."""
    matches = ((archive, _ARCHIVE.fullmatch(archive.name)) for archive in folder.glob("linux-source-*.tar.xz"))
    return {(int(match[1]), int(match[2])): archive for archive, match in matches if match}


def unpack_command(source: KernelSource, into: Path) -> list[str]:
    """Say how to unpack what is compiled: about 400 MB of the 1.5 GB, in two thirds of the time."""
    patterns = [f"{source.folder_name}/{pattern}" for pattern in (*_BUILD_FILES, *_COMPILED)]
    return [
        *("tar", "--extract", "--use-compress-program=xz --threads=0", f"--file={source.archive}"),
        *(f"--directory={into}", "--strip-components=1", "--no-same-owner", "--wildcards"),
        *patterns,
    ]


def _package_version(package: str) -> str:
    if shutil.which("dpkg-query") is None:
        return ""
    answer = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", package], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() if answer.returncode == 0 else ""
