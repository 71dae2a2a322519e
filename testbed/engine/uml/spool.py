"""The one folder that the guest can write to, and what the host takes over from it when the guest is gone.

    RUN/                  the run directory; the guest cannot write here
    RUN/.guest/           nor here
    RUN/.guest/kernel/    what the guest's kernel keeps for itself
    RUN/.guest/output/    what the guest sees as /run/output

A program in the guest may leave anything in there. So the host opens, moves and counts regular files only, each
under the name that it expects, and looks at nothing before the guest has ended, but for a command's output.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import sys
from typing import TYPE_CHECKING

from testbed.engine.prepare.guest_code import guest_code, package_folder
from testbed.engine.uml.confine import GUEST_UID, guest_identity
from testbed.errors import CertificateError, InputError
from testbed.plain_text import one_line
from testbed.records.plan import hosts_lines
from testbed.records.run import SPOOL
from testbed.traffic.origin import objects_on_disk, write_object

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.records.messages import CommandOrder
    from testbed.records.plan import Clock, GuestPlan, PlanDocument

__all__ = ["COMMAND_OUTPUT", "Spool"]

COMMAND_OUTPUT = "output"  # the folder of the run directory that a command's own files go to
MOST_OUTPUT_BYTES = 1 << 30
MOST_INPUT_BYTES = 1 << 28
_CHUNK = 1 << 16
_MOST_FILES = 10_000
_FAR_MORE = 2
_BLOCK = 512  # bytes; what stat(2) counts in
_DEEPEST = 16
_MOST_LEFT = 100  # lines in the manifest that name what was left behind; the rest is counted
_FILE_MODE, _FOLDER_MODE = 0o666, 0o777  # less the caller's umask: what the guest's programs chose is not kept
_FOLDERS = ("captures", "recordings")
_FILES = ("truth.jsonl", "measurements.jsonl", "tls-secrets.txt", "ca.pem", "command.stdout", "command.stderr")
_SUFFIXES = {"captures": ".pcap", "recordings": ".json"}
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n"


class Spool:
    """The guest's folder of one run.

    Args:
        run: The run directory.
    """

    def __init__(self, run: Path) -> None:
        run = run.resolve()  # the guest starts in another folder than its caller
        self._run = run
        self.folder = run / SPOOL.parts[0]
        self.output = run / SPOOL
        self.kernel = self.folder / "kernel"
        for folder in (
            self.folder,
            self.kernel,
            self.output,
            *(self.output / each for each in (*_FOLDERS, "etc", COMMAND_OUTPUT)),
        ):
            folder.mkdir()

    def fill(self, data: PlanDocument, clock: Clock, openssl: str) -> None:
        """Put in what the guest reads: plan, topology, the fixed files of /etc, large objects, and links to its code.

        Args:
            data: The plan.
            clock: What the guest has to know of its clock, which goes into its plan.
            openssl: The configuration of OpenSSL.

        Raises:
            OSError: The folder cannot be written.
            MissingError: The guest's code cannot be made.
        """
        # Copied, not linked: the plan then names the same file in every run, wherever the topology lies.
        shutil.copyfile(data["topology"]["file"], self.output / "topology.py")
        inside: GuestPlan = {
            **data,
            "topology": {**data["topology"], "file": "/run/output/topology.py"},
            "clock": clock,
        }
        (self.output / "plan.json").write_text(json.dumps(inside))
        names = hosts_lines(data)
        for name, text in {
            "hosts": f"127.0.0.1\tlocalhost\n::1\tlocalhost\n{names}", "nsswitch.conf": _NSSWITCH,
            "openssl.cnf": openssl, "passwd": _users(), "group": _groups(),
        }.items():  # fmt: skip
            (self.output / "etc" / name).write_text(text)
        for path, size_bytes in objects_on_disk(data["origins"]).items():
            write_object(self.output / "objects" / path.lstrip("/"), size_bytes, data["seed"])
        (self.output / "prefix").symlink_to(os.path.realpath(sys.base_prefix))
        (self.output / "code").symlink_to(guest_code())
        (self.output / "site").symlink_to(_site())

    def put_command(self, order: CommandOrder, stdin: int | None) -> None:
        """Put in what the guest is told of the user's program, and its input.

        Args:
            order: `UserCommand.order`.
            stdin: See `put_input`; None: there is none.

        Raises:
            OSError: The folder cannot be written.
            InputError: The input is too long.
        """
        (self.output / "command.json").write_text(json.dumps(order))
        if stdin is not None:
            self.put_input(stdin)

    def put_input(self, stdin: int) -> None:
        """Put in what a program is to read.

        Args:
            stdin: Read to its end: in virtual time no program could wait for what somebody has yet to type.

        Raises:
            OSError: The folder cannot be written.
            InputError: The input is too long.
        """
        room = MOST_INPUT_BYTES
        with (self.output / "stdin").open("wb") as file:
            while data := os.read(stdin, _CHUNK):
                room -= len(data)
                if room < 0:
                    raise InputError(
                        f"the command's input has more than {MOST_INPUT_BYTES} bytes; let it read a file instead"
                    )
                file.write(data)

    def put_order(self, number: int, order: CommandOrder) -> None:
        """Put in what a guest that runs is told of a program: it would be much for a serial port.

        Raises:
            OSError: The folder cannot be written.
        """
        folder = self.output / "orders"
        if not folder.exists():
            folder.mkdir()
            self._give(folder)
        with (folder / f"{number}.json").open("x") as file:  # nothing that lies there already is followed
            json.dump(order, file)
        self._give(folder / f"{number}.json")

    def hand_over(self) -> None:
        """Give what is in the folder to the user that the guest runs as, where root started the testbed."""
        if guest_identity()[0] != os.geteuid():
            for path in self.folder.rglob("*"):
                self._give(path)

    def _give(self, path: Path) -> None:
        """Give a path to the user that the guest runs as: a link itself, never what it leads to."""
        uid, gid = guest_identity()
        if uid != os.geteuid():
            os.chown(path, uid, gid, follow_symlinks=False)

    def is_overfull(self) -> bool:
        """Whether a command has left far more than would be taken over; said while it runs, before the disk is full."""
        blocks = entries = 0
        pending = [os.fspath(self.output / COMMAND_OUTPUT)]
        while pending:
            with contextlib.suppress(OSError), os.scandir(pending.pop()) as found:  # it may be gone by now
                for entry in found:
                    status = entry.stat(follow_symlinks=False)
                    entries += 1
                    blocks += status.st_blocks
                    if entries > _FAR_MORE * _MOST_FILES or blocks * _BLOCK > _FAR_MORE * MOST_OUTPUT_BYTES:
                        return True
                    if stat.S_ISDIR(status.st_mode):
                        pending.append(entry.path)
        return False

    def take_over(self) -> list[str]:
        """Move what the guest recorded to its place in the run directory; the guest must have ended.

        Returns:
            What was left behind, and why, one line each.

        Raises:
            OSError: The run directory cannot be written.
            CertificateError: Something else than a file is in the place of a record: somebody meddled with it.
        """
        self._umask = _umask()
        left: list[str] = []
        for name in _FILES:
            self._take_record(self.output / name, self._run / name)
        for name in _FOLDERS:
            for path in _entries(self.output / name):
                if path.suffix == _SUFFIXES[name]:
                    self._take_record(path, self._run / name / path.name)
        self._take_folder(self.output / COMMAND_OUTPUT, left)
        # A program may leave any number of things, and the manifest is read whole.
        if len(left) > _MOST_LEFT:
            left[_MOST_LEFT:] = [f"and {len(left) - _MOST_LEFT} more"]
        return left

    def remove(self) -> None:
        """Remove the folder and what is left in it, as deep as it may be."""
        with contextlib.suppress(OSError):
            _remove_tree(self.folder)

    def _take_record(self, source: Path, target: Path) -> None:
        """Move a file of the testbed's own, which nobody else has a reason to touch."""
        left: list[str] = []
        self._take(source, target, left)
        if left:
            raise CertificateError(f"the guest's records cannot be trusted: {left[0]}")

    def _take(self, source: Path, target: Path, left: list[str]) -> int:
        """Move one file; return how many bytes it has."""
        try:
            status = source.lstat()
        except OSError:
            return 0
        # A link could lead anywhere on the host; by a second name, what has been taken could still be changed.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            left.append(f"{one_line(str(source.relative_to(self.output)))}: no regular file with one name")
            return 0
        if status.st_uid != os.geteuid():
            os.chown(source, os.geteuid(), os.getegid(), follow_symlinks=False)
        source.chmod(_FILE_MODE & ~self._umask)  # it may be one that not even its owner can read
        source.rename(target)  # no copy: a capture may be large, and both folders are on one file system
        return status.st_size

    def _take_folder(self, folder: Path, left: list[str]) -> None:
        """Move a command's own files, folder by folder, as many as a run may have."""
        room = MOST_OUTPUT_BYTES
        for files, path in enumerate(_walk(folder, _DEEPEST, left), start=1):
            place = self._run / COMMAND_OUTPUT / path.relative_to(folder)
            status = path.lstat()
            room -= status.st_size if stat.S_ISREG(status.st_mode) else 0
            if files > _MOST_FILES or room < 0:
                left.append(
                    f"{COMMAND_OUTPUT}: more than {_MOST_FILES} files or {MOST_OUTPUT_BYTES} bytes; the rest is left"
                )
                return
            place.parent.mkdir(parents=True, exist_ok=True)
            self._take(path, place, left)


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, if it is one, in a fixed order."""
    if not folder.is_dir() or folder.is_symlink():
        return []
    _open_up(folder)
    return sorted(folder.iterdir())


def _open_up(folder: Path) -> None:
    """Let its owner into a folder that was made for nobody."""
    if folder.lstat().st_uid == os.geteuid():
        folder.chmod(_FOLDER_MODE & ~0o077)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _remove_tree(tree: Path) -> None:
    """Remove a folder whose names may reach deeper than any path, recursion or set of open files does.

    Every folder below is moved up beside its parent before it is emptied, so no path gets longer than two names.
    """
    pending, number = [tree], 0
    while pending:
        here = pending.pop()
        _open_up(here)
        with os.scandir(here) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_folder in found:
            if is_folder:
                number += 1
                _open_up(here / name)
                pending.append((here / name).rename(tree.with_name(f"{tree.name}.{number}")))
            else:
                (here / name).unlink()
        here.rmdir()


def _walk(folder: Path, depth: int, left: list[str]) -> Iterator[Path]:
    """Everything below a folder that is no folder; links are not followed."""
    for path in _entries(folder):
        if path.is_dir() and not path.is_symlink():
            if depth:
                yield from _walk(path, depth - 1, left)
            else:
                left.append(f"{one_line(path.name)}: a folder more than {_DEEPEST} levels down")
        else:
            yield path


def _site() -> Path:
    """Return where packages beside the testbed's own are, for topologies that import some."""
    return package_folder("mininet").parent


def _users() -> str:
    """Users as the guest knows them: the host's may be many, and the caller may not be among them."""
    user = "" if os.getuid() in {0, GUEST_UID} else f"user:x:{os.getuid()}:{os.getgid()}::/run/tmp:/bin/sh\n"
    return f"root:x:0:0::/run/tmp:/bin/sh\n{user}nobody:x:{GUEST_UID}:{GUEST_UID}::/run/tmp:/bin/sh\n"


def _groups() -> str:
    group = "" if os.getgid() in {0, GUEST_UID} else f"user:x:{os.getgid()}:\n"
    return f"root:x:0:\n{group}nogroup:x:{GUEST_UID}:\n"
