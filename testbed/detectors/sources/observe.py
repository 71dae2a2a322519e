"""Make an observation of whatever a user names: captures, a run, tables of speeds, measurements, observation files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.detectors.observation import Observation
from testbed.detectors.sources.captures import transfers_from_captures
from testbed.detectors.sources.fields import load_json
from testbed.detectors.sources.files import COMPRESSED_SUFFIXES, distinct_names, read_text
from testbed.detectors.sources.marks import Marks
from testbed.detectors.sources.ndt7 import is_ndt7, transfers_from_ndt7
from testbed.detectors.sources.observation_json import FORMAT, observation_from_json
from testbed.detectors.sources.ooni import transfers_from_ooni
from testbed.detectors.sources.run import observation_from_run
from testbed.detectors.sources.tables import speeds_from_csv
from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["observe"]

_JSON_SUFFIXES: Final = (".json", ".jsonl", ".ndjson")


def observe(
    paths: Sequence[str | Path],
    *,
    targets: Iterable[str] = (),
    controls: Iterable[str] = (),
    even_if_invalid: bool = False,
) -> Observation:
    """Return one observation of everything that ``paths`` name.

    Args:
        paths: Captures; CSV tables of speeds; observation, OONI or ndt7 JSON; or one run directory.
        targets: What marks a transfer as target: a server name, a suffix of one after a dot, or a file's path or name.
        controls: The same for controls.
        even_if_invalid: Whether a run will do that is invalid, or not complete; its notes then say so.

    Raises:
        InputError: A file is absent or none of these; `CaptureError` and `RecordError` are kinds of it.
        InvalidRunError: The run is invalid, or not complete.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise InputError("nothing to observe: name a run directory, captures, or files of measurements")
    runs = [path for path in files if path.is_dir()]
    if runs and len(files) > 1:
        raise InputError(f"{runs[0]}: a run directory is observed alone; detect several runs one after the other")
    marks = Marks(tuple(targets), tuple(controls))
    if runs:
        return marks.assigned(observation_from_run(files[0], even_if_invalid=even_if_invalid))
    return marks.assigned(_observe_files(files))


def _observe_files(given: list[Path]) -> Observation:
    kinds = {path: _kind(path) for path in given}
    files, remarks = _distinct(given, kinds)
    names = distinct_names(files)
    observed = [observation_from_json(read_text(path), where=str(path)) for path in files if kinds[path] == FORMAT]
    transfers = [transfer for observation in observed for transfer in observation.transfers]
    remarks += [note for observation in observed for note in observation.notes]
    for path in files:
        if kinds[path] in ("ooni", "ndt7"):
            read_measurements = transfers_from_ooni if kinds[path] == "ooni" else transfers_from_ndt7
            read, notes = read_measurements(path, name=names[path])
            transfers += read
            remarks += notes
    captures = {path: names[path] for path in files if kinds[path] == "capture"}
    captured, notes = transfers_from_captures(captures)
    tables = [path for path in files if kinds[path] == "table"]
    speeds = [observation.speeds for observation in observed if observation.speeds is not None]
    if tables:
        table, table_notes = speeds_from_csv(tables)
        speeds.append(table)
        notes += table_notes
    if len(speeds) > 1:
        raise InputError("speeds of several kinds of files: put them into one table")
    try:
        return Observation(
            source=", ".join(str(path) for path in files),
            transfers=(*transfers, *captured),
            speeds=speeds[0] if speeds else None,
            notes=(*remarks, *notes),
        )
    except ValueError as error:
        raise InputError(f"{', '.join(map(str, files))}: {error}") from error


def _distinct(given: list[Path], kinds: dict[Path, str]) -> tuple[list[Path], list[str]]:
    """Leave out captures that are there under another name already, and say so."""
    files: list[Path] = []
    seen: dict[object, Path] = {}
    remarks = []
    for path in given:
        known = seen.setdefault(_identity(path), path) if kinds[path] == "capture" else path
        # Only captures are told apart by what they are on disk: a capture read twice would be two ends of one
        # connection.
        if known == path and path not in files:
            files.append(path)
        elif kinds[path] == "capture":
            remarks.append(f"{path}: the same file as {known}, and read once")
        else:
            files.append(path)
    return files, remarks


def _identity(path: Path) -> object:
    """Return what two names of one file have in common."""
    try:
        found = path.stat()
    except OSError:
        return path
    return (found.st_dev, found.st_ino) if path.is_file() else path


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in COMPRESSED_SUFFIXES]
    suffix = suffixes[-1] if suffixes else ""
    if suffix == ".csv":
        return "table"
    if suffix not in _JSON_SUFFIXES:
        return "capture"
    text = read_text(path)
    # OONI writes one object a line, ndt7 one object over many lines, and both call the file .json
    first_line = text.lstrip().split("\n", 1)[0]
    try:
        value = load_json(first_line, str(path))  # one JSON object a line
    except InputError:
        value = load_json(text, str(path))
    if isinstance(value, dict) and "format" in value:
        return FORMAT
    return "ndt7" if is_ndt7(value) else "ooni"
