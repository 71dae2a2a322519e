"""What a measurer had of a condition, and packs of such recordings for machines on which no guest runs.

A recording has an observation of each line, and captures of headers at clients.

A recording's name in a pack tells nothing of its condition at a glance.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final, Protocol, TypedDict

from testbed.errors import InputError
from testbed.records.shape import shaped
from testbed.validation.corpus.archive import Archive, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from testbed.labs.lab import LabFile
    from testbed.labs.lot import Pick

__all__ = ["OBSERVATION", "Pack", "Recording", "Recordings", "digest_of", "write_pack"]

OBSERVATION: Final = ".observation.json"
_INDEX: Final = "labs.json"
_DEMO: Final = "demo"
_FORMAT: Final = 1
_MOST_FILE_BYTES: Final = 1 << 26

Recording = dict[str, bytes]
"""Files by name."""


class _Index(TypedDict):
    """Of a pack: the version of the testbed that made it, and each lab's digest by its name."""

    format: int
    version: str
    labs: dict[str, str]


class Recordings(Protocol):
    """Where recordings come from."""

    def get(self, lab: LabFile, pick: Pick) -> Recording:
        """Return a recording.

        Raises:
            TestbedError: It cannot be had.
        """


def digest_of(lab: LabFile) -> str:
    """Return a digest of what recordings of a lab depend on in its own folder."""
    digest = hashlib.sha256()
    for path in sorted(lab.folder.glob("*.yaml")):
        # Git may check text out with other ends of lines on another platform.
        digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:32]


def _place(lab: LabFile, pick: Pick) -> str:
    # No name of a condition: students have the pack, and could look their own recordings up by size.
    words = "\0".join((lab.name, pick.condition, str(pick.variant)))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


class Pack:
    """Recordings in a file that somebody made with ``testbed lab pack``.

    Args:
        path: The file.

    Raises:
        InputError: It is no pack, or a damaged one.
    """

    def __init__(self, path: Path) -> None:
        self._archive = Archive(path)
        try:
            self._index = _read_index(self._archive)
        except BaseException:
            self.close()
            raise
        self._files: dict[str, list[str]] = {}
        # Once, for a detector is graded on many recordings.
        for name in self._archive.names:
            self._files.setdefault(name.rpartition("/")[0], []).append(name)

    def get(self, lab: LabFile, pick: Pick) -> Recording:
        """Return a recording.

        Raises:
            InputError: The pack is of another version of this lab, or does not have it.
        """
        path = self._archive.path
        if lab.name not in self._index["labs"]:
            raise InputError(f"{path}: it has no recordings of {lab.name}; make a pack with them: testbed lab pack")
        if self._index["labs"][lab.name] != digest_of(lab):
            raise InputError(
                f"{path}: it was made of another version of {lab.name} (testbed {self._index['version']}); "
                "use the testbed that made it, or fetch a new pack"
            )
        names = self._files.get(_place(lab, pick))
        if not names:
            raise InputError(f"{path}: a recording of {lab.name} is missing; fetch the pack again")
        return {name.rpartition("/")[2]: self._archive.read(name, most_bytes=_MOST_FILE_BYTES) for name in names}

    def demo(self) -> Recording:
        """Return the classroom page with recorded runs, by the names of its files.

        Raises:
            InputError: The pack has none.
        """
        names = self._files.get(_DEMO)
        if not names:
            raise InputError(f"{self._archive.path}: it has no recorded runs; make a pack with them: testbed lab pack")
        return {name.rpartition("/")[2]: self._archive.read(name, most_bytes=_MOST_FILE_BYTES) for name in names}

    def close(self) -> None:
        """Close the file."""
        self._archive.__exit__()


def _read_index(archive: Archive) -> _Index:
    try:
        index = shaped(json.loads(archive.read(_INDEX, most_bytes=1 << 20)), _Index)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{archive.path}: {_INDEX} is damaged: {error}; fetch the pack again") from error
    if index["format"] != _FORMAT:
        raise InputError(f"{archive.path}: a pack of the format {index['format']}, and this testbed reads {_FORMAT}")
    return index


def write_pack(
    path: Path,
    labs: Sequence[LabFile],
    *,
    picks: Callable[[LabFile], Sequence[Pick]],
    recordings: Recordings,
    version: str,
    demo: Mapping[str, bytes] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> int:
    """Write a pack; return how many recordings it has.

    Args:
        path: The file.
        labs: Those to pack.
        picks: Which variants of each.
        recordings: Where they come from.
        version: Of this testbed.
        demo: The classroom page with recorded runs, by the names of its files.
        progress: Told what is done.

    Raises:
        TestbedError: A recording cannot be had, or the file cannot be written.
    """
    index: _Index = {"format": _FORMAT, "version": version, "labs": {lab.name: digest_of(lab) for lab in labs}}
    members: dict[str, Path | bytes] = {_INDEX: (json.dumps(index, indent=1) + "\n").encode()}
    members |= {f"{_DEMO}/{name}": data for name, data in (demo or {}).items()}
    count = 0
    for lab in labs:
        for pick in picks(lab):
            place = _place(lab, pick)
            members |= {f"{place}/{name}": data for name, data in recordings.get(lab, pick).items()}
            count += 1
            progress(f"{lab.name}: {count} recordings")
    write_archive(path, members)
    return count
