"""Where finished kernels are kept: one folder a kernel, named by the hash of what it was made from.

    $XDG_CACHE_HOME/throttling-testbed/kernel/<hash>/linux        the kernel
                                                     info.json    what it is
                                                     build.log    what the compiler said

Not for: making them (build.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from testbed.errors import MissingError

__all__ = [
    "CachedKernel",
    "KernelInfo",
    "StoredInfo",
    "cache_folder",
    "cached_kernels",
    "checksum",
    "damaged_kernels",
    "user_cache",
]

_NAME_A_FOLDER = "name a folder with: export XDG_CACHE_HOME=FOLDER"


class StoredInfo(TypedDict):
    """What ``info.json`` says of a kernel."""

    recipe: str
    version: str
    source: str
    compiler: str
    options: list[str]
    files: int
    size_bytes: int
    sha256: str
    built: str


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """What is known of the kernel that this machine would run.

    Args:
        path: The kernel, or None where it has not been built.
        hash: Sixteen hexadecimal digits over source, configuration, patches and make goals.
        version: What ``uname -r`` says in the guest; empty until built.
        source: Package and version that it is compiled from; empty where none is installed and none was used.
        options: Options asked for, as ``CONFIG_X=value``.
        size_bytes: Size of the kernel; 0 until built.
        built: When it was built, ISO 8601, UTC; empty until then.
        damage: What is wrong with the one in the cache; empty where nothing is, or none is there.
        unused_package: Why an installed package with a kernel is not used; empty: it is, or there is none.
    """

    path: Path | None
    hash: str
    version: str
    source: str
    options: tuple[str, ...]
    size_bytes: int
    built: str
    damage: str = ""
    unused_package: str = ""


@dataclass(frozen=True, slots=True)
class CachedKernel:
    """The place of one kernel in the cache, whether it is there yet or not."""

    folder: Path

    @property
    def program(self) -> Path:
        """The kernel itself."""
        return self.folder / "linux"

    @property
    def log(self) -> Path:
        """What the compiler said in the last build."""
        return self.folder / "build.log"

    def stored(self) -> StoredInfo | None:
        """Read what is kept beside the kernel; None unless both are there and as they were stored."""
        info = self.described()
        return info if info is not None and not self._damage(info) else None

    def damage(self) -> str:
        """What is wrong with a kernel that is there; empty where it is as it was stored, or is not there at all."""
        if not self.program.exists():
            return ""
        info = self.described()
        return "it has no description" if info is None else self._damage(info)

    def described(self) -> StoredInfo | None:
        """Read what is said of it, whether it is as it was stored or not."""
        path = self.folder / "info.json"
        try:
            # A FIFO would be waited for.
            info: StoredInfo | None = json.loads(path.read_text()) if path.is_file() else None
        except (OSError, ValueError, RecursionError):
            return None
        return info if isinstance(info, dict) and set(info) == StoredInfo.__required_keys__ else None

    def _damage(self, info: StoredInfo) -> str:
        if not self.program.is_file() and self.program.exists():
            return "it is no file"
        try:
            if checksum(self.program) != info["sha256"]:
                return "its checksum is not the one that it was stored with"
        except OSError as error:
            return f"it cannot be read ({error.strerror})"
        if os.access(self.program, os.X_OK):
            return ""
        # access(2) says the same of a file without the mode and of a whole file system on which nothing may be run.
        is_barred = self.program.stat().st_mode & 0o100 and os.statvfs(self.program).f_flag & os.ST_NOEXEC
        return (
            f"it lies on a file system that is mounted noexec ({self.folder})" if is_barred else "it is not executable"
        )

    def store(self, program: Path, info: StoredInfo) -> None:
        """Move a finished kernel into place; a reader sees all of it or nothing.

        Args:
            program: The kernel, on the same file system.
            info: What to say of it.
        """
        draft = self.folder / "info.json.new"
        draft.write_text(json.dumps(info, indent=2) + "\n")
        if self.program.is_dir() and not self.program.is_symlink():
            shutil.rmtree(self.program)  # a file does not replace a folder
        program.replace(self.program)
        draft.replace(self.folder / "info.json")


def checksum(program: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits. Raises OSError."""
    with program.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def user_cache() -> Path:
    """Return the testbed's folder under the user's cache folder.

    Raises:
        MissingError: The user has no home, and no other folder is named.
    """
    root = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a path that is not absolute is to be ignored.
    base = Path(root) if Path(root).is_absolute() else _home() / ".cache"
    return base / "throttling-testbed"


def cache_folder() -> Path:
    """Return the folder for kernels. Raises MissingError: as `user_cache`."""
    return user_cache() / "kernel"


def _home() -> Path:
    named = os.environ.get("HOME")
    # What is kept in a folder named from the current one is not found from another. An empty name Python takes for "/".
    if named is not None and not Path(named).is_absolute() and os.name == "posix":
        problem = f"HOME is {named!r}, where the path of a folder from the root on is expected"
        raise MissingError(f"{problem}; {_NAME_A_FOLDER}")
    try:
        return Path.home()
    except RuntimeError as error:  # neither HOME nor an entry in passwd, as with `docker run --user 12345`
        problem = "this user has no home folder to keep kernel, guest's code and runs in"
        raise MissingError(f"{problem}; {_NAME_A_FOLDER}") from error


def damaged_kernels() -> list[tuple[Path, str]]:
    """List the folders of the cache that have a kernel which is of no use, with what is wrong with it."""
    looked = ((folder, CachedKernel(folder).damage()) for folder in sorted(cache_folder().glob("*/")))
    return [(folder, damage) for folder, damage in looked if damage]


def cached_kernels(recipe_hash: str) -> list[CachedKernel]:
    """List the finished kernels made by a recipe from any source, oldest first."""
    finished = [
        (stored["built"], kernel)
        for folder in sorted(cache_folder().glob("*/"))
        if (stored := (kernel := CachedKernel(folder)).stored()) and stored["recipe"] == recipe_hash
    ]
    return [kernel for _, kernel in sorted(finished, key=lambda pair: pair[0])]
