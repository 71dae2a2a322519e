"""One file with members and their checksums: a ZIP archive, which every platform reads, member by member.

Written, it has the same bytes for the same members (and the same zlib). Read, it may have come from anybody: nothing in
it is believed before it is checked. Names lead nowhere else, nothing but regular files is taken, sizes are bounded
before anything is unpacked, and no member is used whose checksum is not the one in the list.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from testbed.errors import InputError
from testbed.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CHECKSUMS", "Archive", "write_archive"]

CHECKSUMS: Final = "SHA256SUMS"
"""The member that lists the others, as ``sha256sum --check`` takes it; it comes last."""

MOST_MEMBERS: Final = 200_000
MOST_MEMBER_BYTES: Final = 1 << 31
MOST_BYTES: Final = 1 << 38
_MOST_LIST_BYTES: Final = 1 << 26
_MOST_RATIO: Final = 1_100  # deflate's is 1,032: what claims more is made to burst
_STEP: Final = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._+-]{1,120}"
_NAME: Final = re.compile(rf"{_STEP}(?:/{_STEP}){{0,5}}")
_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")
_BEGINNING: Final = (1980, 1, 1, 0, 0, 0)  # of ZIP's time: none of a member's own
_FILE_MODE: Final = stat.S_IFREG | 0o644
_UNIX: Final = 3
_PIECE: Final = 1 << 20
_ENCRYPTED: Final = 0x1
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError, RuntimeError)
"""In which ways reading a damaged archive breaks."""


def write_archive(path: Path, members: Mapping[str, Path | bytes]) -> None:
    """Write an archive; it takes its name when it is complete.

    Args:
        path: The file.
        members: By name: a file, or the contents.

    Raises:
        InputError: The file cannot be written.
        ValueError: A name is none that is read again.
    """
    sums = []
    try:
        # Beside the target, for a rename does not cross file systems; not in its place, where half of one could lie.
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            aside = Path(folder) / "archive"
            with zipfile.ZipFile(aside, "w") as archive:
                for name in sorted(members):
                    if not _NAME.fullmatch(name) or name == CHECKSUMS:
                        raise ValueError(f"{name!r} cannot be the name of a member")
                    sums.append(f"{_put(archive, name, members[name])}  {name}\n")
                _put(archive, CHECKSUMS, "".join(sums).encode())
            aside.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another file with -o") from error


def _put(archive: zipfile.ZipFile, name: str, contents: Path | bytes) -> str:
    """Put a member in; return its checksum."""
    about = zipfile.ZipInfo(name, _BEGINNING)
    about.compress_type = zipfile.ZIP_DEFLATED
    about.create_system = _UNIX
    # Without a mode some programs unpack files that nobody may read.
    about.external_attr = _FILE_MODE << 16
    digest = hashlib.sha256()
    if isinstance(contents, bytes):
        digest.update(contents)
        archive.writestr(about, contents)
        return digest.hexdigest()
    with contents.open("rb") as source:
        about.file_size = contents.stat().st_size  # so that one of gigabytes gets a header with room for its size
        with archive.open(about, "w") as target:
            while piece := source.read(_PIECE):
                digest.update(piece)
                target.write(piece)
    return digest.hexdigest()


class Archive:
    """An archive that is read; a context manager.

    Args:
        path: The file.

    Raises:
        InputError: It is no archive of this kind, or may be meant to do harm; says which member is at fault.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except _DAMAGED as error:
            raise InputError(f"{path}: no corpus, or a damaged one: {one_line(str(error))}; fetch it again") from error
        try:
            self._members = _checked(path, self._zip.infolist())
            self._sums = self._checksums()
        except BaseException:
            self._zip.close()
            raise

    def _checksums(self) -> dict[str, str]:
        if CHECKSUMS not in self._members:
            raise InputError(f"{self.path}: no corpus: it has no {CHECKSUMS}")
        found: dict[str, str] = {}
        text = b"".join(self._pieces(CHECKSUMS, _MOST_LIST_BYTES)).decode("utf-8", "replace")
        for line in text.splitlines():
            parsed = _LINE.fullmatch(line)
            if parsed is None:
                raise InputError(f"{self.path}: {CHECKSUMS} has a line that is none: {one_line(line)[:80]}")
            found[parsed.group(2)] = parsed.group(1)
        # Both ways: what is listed and absent was lost, and what is there and not listed was put in by somebody.
        there = self._members.keys() - {CHECKSUMS}
        for what, names in (("lists", found.keys() - there), ("does not list", there - found.keys())):
            if names:
                verb = "which is not there" if what == "lists" else "which is there"
                raise InputError(f"{self.path}: {CHECKSUMS} {what} {one_line(min(names))}, {verb}; fetch it again")
        return found

    @property
    def names(self) -> list[str]:
        """The members that have a checksum, in order."""
        return sorted(self._sums)

    def read(self, name: str, *, most_bytes: int = MOST_MEMBER_BYTES) -> bytes:
        """Return a member.

        Raises:
            InputError: There is none of this name, it is larger than may be, or it is not what was written.
        """
        if name not in self._sums:
            raise InputError(f"{self.path}: it has no {one_line(name)}")
        return b"".join(self._pieces(name, most_bytes))

    def _pieces(self, name: str, most_bytes: int = MOST_MEMBER_BYTES) -> Iterator[bytes]:
        """Yield a member piece by piece; what was yielded counts only once the last has come without an error."""
        about = self._members[name]
        if about.file_size > most_bytes:
            raise InputError(f"{self.path}: {name} has {about.file_size} bytes, and at most {most_bytes} are read")
        digest, size = hashlib.sha256(), 0
        try:
            with self._zip.open(about) as file:
                while piece := file.read(_PIECE):
                    size += len(piece)
                    digest.update(piece)
                    yield piece
        except _DAMAGED as error:
            raise InputError(
                f"{self.path}: {name} is damaged: {one_line(str(error))}; fetch the corpus again"
            ) from error
        if size != about.file_size:
            raise InputError(f"{self.path}: {name} has {size} bytes, and claims {about.file_size}")
        if name != CHECKSUMS and digest.hexdigest() != self._sums[name]:
            raise InputError(f"{self.path}: {name} is not what {CHECKSUMS} says; fetch the corpus again")

    def verify(self) -> int:
        """Read every member; return how many bytes they have.

        Raises:
            InputError: One is not what was written.
        """
        return sum(len(piece) for name in self.names for piece in self._pieces(name))

    def unpack(self, folder: Path) -> None:
        """Write all members into a new folder, which is there as a whole or not at all.

        Raises:
            InputError: A member is not what was written, or the folder is there already or cannot be made.
        """
        if folder.exists():
            raise InputError(f"{folder} exists; choose another folder with -o")
        try:
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as aside:
                whole = Path(aside) / "corpus"
                wanted = sum(about.file_size for about in self._members.values())
                if (free := shutil.disk_usage(aside).free) < wanted:
                    raise InputError(f"{folder} would have {wanted} bytes, and its disk has room for {free}")
                for name in [*self.names, CHECKSUMS]:
                    place = whole / name
                    place.parent.mkdir(parents=True, exist_ok=True)
                    # "x": should a check of names have a hole, nothing that is there is written over.
                    with place.open("xb") as file:
                        file.writelines(self._pieces(name))
                whole.rename(folder)
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror}; choose another folder with -o") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()


def _checked(path: Path, members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name, once it is known that unpacking them can do no harm.

    Raises:
        InputError: It could.
    """
    if len(members) > MOST_MEMBERS:
        raise InputError(f"{path}: it has {len(members)} members, and at most {MOST_MEMBERS} are read")
    found: dict[str, zipfile.ZipInfo] = {}
    for about in members:
        if problem := _problem(about):
            raise InputError(f"{path}: refused: the member {one_line(about.filename)[:120]!r} {problem}")
        if about.filename in found:
            raise InputError(f"{path}: refused: the member {about.filename!r} is there twice")
        found[about.filename] = about
    # As a folder one of the two could not be made, and which of them fails would hang on their order.
    folders = {str(parent) for name in found for parent in Path(name).parents}
    if both := sorted(folders & found.keys()):
        raise InputError(f"{path}: refused: {both[0]!r} is a file and a folder")
    # Names that differ in case alone are one file on some platforms.
    if len({name.casefold() for name in found}) < len(found):
        raise InputError(f"{path}: refused: two members have names that differ in case alone")
    total = sum(about.file_size for about in found.values())
    if total > MOST_BYTES:
        raise InputError(f"{path}: refused: it claims to hold {total} bytes, and at most {MOST_BYTES} are unpacked")
    return found


def _problem(about: zipfile.ZipInfo) -> str | None:
    """Say why a member is not taken; None: it is."""
    size, packed = about.file_size, about.compress_size
    kinds = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    problems = {
        # ZIP cuts names at a NUL and turns what it takes for separators: the name as it stands in the file counts, too.
        "has a name that may lead elsewhere": not _NAME.fullmatch(about.orig_filename)
        or about.filename != about.orig_filename,
        "is no regular file (a link, say)": stat.S_IFMT(about.external_attr >> 16) not in {0, stat.S_IFREG},
        "is encrypted": bool(about.flag_bits & _ENCRYPTED),
        f"is packed in a way that is not read ({about.compress_type})": about.compress_type not in kinds,
        f"claims to hold {size} bytes, more than {MOST_MEMBER_BYTES}": size > MOST_MEMBER_BYTES,
        f"claims that {packed} bytes unpack to {size}": size > _MOST_RATIO * packed + _PIECE,
    }
    return next((problem for problem, is_there in problems.items() if is_there), None)
