"""What the guest is told of a user's program: where it is, what it finds, and what it may.

The program is looked for as the caller's shell would, before anything is built. It gets the caller's environment
with the
few changes that make the run's certificate authority trusted, and the caller's folder. Folders that hold what is
private
(homes, temporary files) are hidden, but for what the program evidently needs: the caller's folder, the folders of the
caller's PATH, and files that stand on its command line.
"""

from __future__ import annotations

import os
import resource
import shutil
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import testbed
from testbed.engine.prepare.distribution import installation
from testbed.engine.prepare.programs import GUEST_PROGRAMS
from testbed.engine.uml.confine import guest_identity
from testbed.errors import InputError, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from testbed.engine.uml.keyboard import Keyboard
    from testbed.records.messages import CommandOrder

__all__ = ["UserCommand"]

MOST_OUTPUT_BYTES = 1 << 28  # of one file that the program writes
OPEN_FILES = 65_536  # what the program may have open; the host's own limit may be lower (see open_files)
LEAST_OPEN_FILES = 4096  # what programs of this kind take for granted
_RESERVED_FILES = 256  # the guest's kernel's own
_AUTHORITY = "/run/ca.pem"  # where the program finds the run's certificate authority (guest/file_view.py)
_TRUST = dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), _AUTHORITY)
_OURS = frozenset({"SETUPTOOLS_USE_DISTUTILS"})  # set by the command line itself, for Mininet
_PRIVATE = ("/home", "/root", "/tmp", "/var/tmp", "/media", "/mnt", "/srv")  # noqa: S108 - hidden, not used
_SYSTEM = ("/usr", "/etc", "/dev", "/proc", "/sys", "/run")  # no user's home, though a daemon's account may name one
_SYSTEM_DATA = {"/etc": 9, "/var": 1}  # and how many levels of folders below it are looked at
_BINARIES = {"bin", "sbin"}
_USERS_OWN = ".local"  # systemd's file-hierarchy(7): programs of the user's own, and below share/ key rings


@dataclass(frozen=True, slots=True)
class UserCommand:
    """A program to run on a line's client in place of the scenario's measurements.

    Attributes:
        argv: The program and its arguments.
        environment: The caller's.
        folder: The caller's.
        visible: Folders that are shown though they are private, as the caller asked for.
        stdin: A descriptor that the program's input is read from, to its end and before it starts; None: it has none.
        keyboard: The user's terminal, if the program is to have it; None: it has none.
        privileged: Run as root of the guest with the testbed's own code, for programs of the testbed alone: they see
            everything and can change everything in the guest.
        sealed: What is never shown, beside the run directory.
        words: Of the command line that may name files, where it is a shell's; None: those of ``argv``.
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path = field(default_factory=Path.cwd)
    visible: Sequence[Path] = ()
    stdin: int | None = None
    keyboard: Keyboard | None = None
    privileged: bool = False
    sealed: Sequence[Path] = ()
    words: Sequence[str] | None = None

    def program(self) -> Path:
        """Return the file that is to be run, as the caller's shell would find it.

        Raises:
            InputError: There is none.
        """
        name = self.argv[0]
        place = str(self.folder / name) if os.sep in name else name
        found = shutil.which(place, path=self.environment.get("PATH", os.defpath))
        if found is None:
            where = "" if os.sep in name else " in the folders of PATH"
            what = "is a folder" if Path(place).is_dir() else "may not be executed"
            # Of these the doctor knows packages, and our own examples type them.
            ways = f"{installation([name])}, or " if name in GUEST_PROGRAMS else ""
            raise InputError(
                f"the command {name!r} {what if Path(place).exists() else f'was not found{where}'}; "
                f"{ways}give the path of a program after --"
            )
        return Path(found).absolute()

    def order(self, run: Path) -> CommandOrder:
        """Return what the guest is told.

        Args:
            run: The run directory; the program does not see it.

        Raises:
            InputError: There is no such program.
            MissingError: The host's limit of open files is too low.
        """
        uid, gid = guest_identity()
        reads_all = uid != os.geteuid() and not self._is_open_to_others()
        environment = self._privileged_environment() if self.privileged else self._environment()
        return {
            "argv": list(self.argv), "program": str(self.program()), "folder": str(self.folder), "uid": uid, "gid": gid,
            "terminal": None if self.keyboard is None else list(self.keyboard.size),
            "privileged": self.privileged, "most_bytes": MOST_OUTPUT_BYTES, "open_files": open_files(),
            "hidden": self._hidden(), "visible": self._visible(), "reads_all": reads_all,
            "sealed": [
                *_sealed(run.resolve(), self.folder), *map(str, self.sealed), *(self._closed() if reads_all else ()),
            ],
            "environment": environment,
        }  # fmt: skip

    def _environment(self) -> dict[str, str]:
        given = {name: value for name, value in self.environment.items() if name not in _OURS}
        ours = {"TMPDIR": "/tmp", "SSLKEYLOGFILE": "/run/output/tls-secrets.txt", "TESTBED_OUTPUT": "/run/output"}  # noqa: S108
        return {**given, **_TRUST, **ours}

    def _privileged_environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/run/tmp",
            "TMPDIR": "/run/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(Path(testbed.__file__).resolve().parent.parent), "TESTBED_PYTHON": sys.executable,
            "SETUPTOOLS_USE_DISTUTILS": "stdlib" if sys.version_info < (3, 12) else "local",
            "TESTBED_OUTPUT": "/run/output/output", "SSL_CERT_FILE": "/run/output/ca.pem",
            "SSLKEYLOGFILE": "/run/output/tls-secrets.txt",
        }  # fmt: skip

    def _hidden(self) -> list[str]:
        """Private folders; the caller's home may be elsewhere."""
        given = self.environment.get("HOME", "")
        home = os.path.realpath(given if Path(given).is_absolute() else os.sep)
        is_system = home == os.sep or any(Path(home).is_relative_to(place) for place in _SYSTEM)
        places = [*_PRIVATE, *([] if is_system else [home])]
        return [place for place in dict.fromkeys(map(os.path.realpath, places)) if Path(place).is_dir()]

    def _visible(self) -> list[str]:
        """What stays visible, outer folders first; a private folder itself never does as a whole, unless asked for."""
        program = self.program()
        wanted = [self.folder, program.parent, program.resolve().parent]
        hidden = set(self._hidden())
        for place in (*self.environment.get("PATH", "").split(os.pathsep), str(program.resolve().parent)):
            trees = self._trees(self.folder / place)
            wanted += [self.folder / place] if os.path.realpath(trees[0]) in hidden else trees
        words = self.argv[1:] if self.words is None else self.words
        wanted += [self.folder / each for each in words if _exists(self.folder / each)]
        shown = {os.path.realpath(each) for each in wanted if _exists(each)} - hidden
        if os.path.realpath(self.folder) in hidden:
            shown |= self._unhidden_entries()
        shown |= {os.path.realpath(each) for each in self.visible}
        inside = [each for each in shown if any(Path(each).is_relative_to(private) for private in hidden)]
        return sorted(inside)

    def _closed(self) -> list[str]:
        return _closed_to_others([self.folder.resolve(), self.program().resolve(), *map(Path, self._visible())])

    def _is_open_to_others(self) -> bool:
        """Return whether somebody who is not root can reach the caller's folder and the program."""
        hidden = {Path(each) for each in self._hidden()}
        for path in (Path(os.path.realpath(self.folder)), self.program().resolve()):
            way = (path, *path.parents)
            if hidden.intersection(way):  # what is shown of a hidden folder is found in folders made anew
                shown = (path,) if path.is_dir() else (path, path.parent)
                way = tuple(step for step in shown if step not in hidden)
            if not all(step.stat().st_mode & 0o001 for step in way):
                return False
        return True

    def _unhidden_entries(self) -> set[str]:
        """Of a home that is the caller's folder, all but what begins with a dot: keys and passwords lie there."""
        return {str(each) for each in Path(os.path.realpath(self.folder)).iterdir() if not each.name.startswith(".")}

    @staticmethod
    def _trees(folder: Path) -> list[Path]:
        """What belongs to a folder of programs: they find their libraries from there. Keys lie beside some of it."""
        if folder.name not in _BINARIES:
            return [folder]
        if folder.parent.name == _USERS_OWN:
            return [folder, folder.parent / "lib"]
        return [folder.parent]


def _exists(path: Path) -> bool:
    """Return whether a word of a command line is a path; it may be anything, even longer than any path."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _sealed(run: Path, folder: Path) -> list[str]:
    """What is never shown: the run, and earlier ones beside it, since the same seed has the same ground truth."""
    beside = [each for each in run.parent.iterdir() if each != run]
    is_inside = folder.resolve().is_relative_to(run.parent)
    if beside and not is_inside and all((each / "manifest.json").is_file() for each in beside):
        return [str(run.parent)]
    return [str(run)]


def _closed_to_others(shown: Iterable[Path]) -> list[str]:
    """What only root may read of the system: a program that may read all for its folder's sake is not to have it.

    Args:
        shown: What the program is to have; a folder around it stays open.
    """
    around = {step for path in shown for step in (path, *path.parents)}
    found = []
    for place, levels in _SYSTEM_DATA.items():
        for folder, folders, files in os.walk(place):
            below = Path(folder)
            closed = {name for name in (*folders, *files) if not _is_open(below / name) and below / name not in around}
            found += [str(below / name) for name in closed]
            folders[:] = set(folders) - closed if len(below.parts) - len(Path(place).parts) < levels else []
    return sorted(found)


def _is_open(path: Path) -> bool:
    """Return whether everybody may read it; a link has no say of its own."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return True  # it is gone
    return stat.S_ISLNK(mode) or bool(mode & (0o001 if stat.S_ISDIR(mode) else 0o004))


def open_files() -> int:
    """Return how many files the program may have open: the host's limit, less what the guest's kernel needs itself.

    Raises:
        MissingError: The host's limit is lower than programs take for granted.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        return OPEN_FILES
    if hard < LEAST_OPEN_FILES:
        raise MissingError(
            f"the limit of open files is {hard}, and a program in the guest cannot open more than the host allows; "
            f"run: ulimit -Hn {LEAST_OPEN_FILES} (in a container: --ulimit nofile={LEAST_OPEN_FILES})"
        )
    return min(OPEN_FILES, hard - _RESERVED_FILES)
