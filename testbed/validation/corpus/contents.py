"""What stands in a corpus, and where: the index of its cells, and the truth beside each cell's observations."""

# No postponed annotations: `testbed.records.shape` reads them, and the names in them have to be there.

import json
from typing import Literal, TypedDict, TypeVar

from testbed.errors import InputError
from testbed.records.shape import shaped
from testbed.validation.corpus.archive import Archive
from testbed.validation.keeping.store import FORMAT as RECORD_FORMAT
from testbed.validation.keeping.store import CellRecord

__all__ = [
    "CAPTURES",
    "INDEX",
    "TRUTH",
    "CellEntry",
    "Index",
    "Measured",
    "Truth",
    "World",
    "folder_of",
    "read_index",
    "read_truth",
]

Found = TypeVar("Found")

FORMAT: Literal[1] = 1
INDEX = "corpus.json"
TRUTH = "truth.json"
CAPTURES = ("none", "headers", "whole")
_MOST_BYTES = 1 << 28  # of a file of JSON


class World(TypedDict):
    """What the bytes of all members depend on: of runs (`testbed.engine.judge.fingerprint`), and what writes files."""

    code: str
    python: str
    kernel: str
    openssl: str
    libc: str
    machine: str
    programs: dict[str, str]
    writers: str


class CellEntry(TypedDict):
    """A run of the suite; its files are in ``folder``."""

    id: str
    part: str
    condition: str
    number: int
    folder: str


class Index(TypedDict):
    """The whole corpus.

    Keys:
        suite: What was given to ``testbed corpus build``.
        version: Of the testbed that made it.
        captures: Whether there are some, and what is kept of packets.
    """

    format: Literal[1]
    title: str
    suite: str
    held_out_seed: str
    version: str
    captures: str
    world: World
    cells: list[CellEntry]


class Measured(TypedDict):
    """A transfer of a line, and where it stands as others would have recorded it.

    Keys:
        name: That was asked for.
        ooni: The number of its line in ``LINE.ooni.jsonl``, from 1; None: it is no download.
        ndt7: The file; None: it is no download, or nothing came.
    """

    id: str
    line: str
    role: str
    name: str | None
    label: str
    ooni: int | None
    ndt7: str | None


class Truth(TypedDict):
    """What is true of a cell.

    Keys:
        labels: By line, with treatments counted as usual; ``record`` has what they are made from.
        measurements: Each transfer that a detector is told of, with a label of its own.
        record: As `testbed validate` keeps it: transfers with what acted on them, and the command that makes the run.
    """

    format: Literal[1]
    id: str
    labels: dict[str, str]
    measurements: list[Measured]
    record: CellRecord


def folder_of(cell: str) -> str:
    """Return the folder of a cell, by its id."""
    return f"cells/{cell.replace('/', '-')}"


def read_index(archive: Archive) -> Index:
    """Return the index of a corpus.

    Raises:
        InputError: It is of another version, or damaged.
    """
    index = _read(archive, INDEX, Index)
    # Told now, with the cell's name, and not after half of the others have been judged.
    missing = [cell["id"] for cell in index["cells"] if f"{cell['folder']}/{TRUTH}" not in archive.names]
    if missing:
        raise InputError(f"{archive.path}: the cell {missing[0]} has no {TRUTH}; fetch the corpus again")
    return index


def read_truth(archive: Archive, cell: CellEntry) -> Truth:
    """Return what is true of a cell.

    Raises:
        InputError: It is of another version, or damaged.
    """
    return _read(archive, f"{cell['folder']}/{TRUTH}", Truth)


def _require_format(where: str, value: object, known: int) -> None:
    if isinstance(value, dict) and value.get("format") != known:
        raise InputError(
            f"{where} is of the format {value.get('format')!r}, and this testbed reads {known}; "
            "use the testbed that made it, or build the corpus again"
        )


def _read(archive: Archive, name: str, kind: type[Found]) -> Found:
    where = f"{archive.path}: {name}"
    try:
        value = json.loads(archive.read(name, most_bytes=_MOST_BYTES))
        _require_format(where, value, FORMAT)
        if isinstance(value, dict) and "record" in value:  # of a truth: as the store keeps it, with a format of its own
            _require_format(f"{where}: record", value["record"], RECORD_FORMAT)
        return shaped(value, kind)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is damaged: {error}; fetch the corpus again") from error
