"""Make an observation of whatever a user names: captures, a run, tables of speeds, measurements, observation files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.detectors.fields import load_json
from testbed.detectors.observation import Observation, Role
from testbed.detectors.observation_json import FORMAT, observation_from_json
from testbed.detectors.sources.captures import transfers_from_captures
from testbed.detectors.sources.ndt7 import is_ndt7, transfers_from_ndt7
from testbed.detectors.sources.ooni import transfers_from_ooni
from testbed.detectors.sources.run import observation_from_run
from testbed.detectors.sources.tables import speeds_from_csv
from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testbed.detectors.observation import Transfer

__all__ = ["observe"]

_JSON_SUFFIXES: Final = (".json", ".jsonl", ".ndjson")


def observe(paths: Sequence[str | Path], *, targets: Iterable[str] = (), controls: Iterable[str] = ()) -> Observation:
    """Return one observation of everything that ``paths`` name.

    Args:
        paths: Captures; CSV tables of speeds; observation, OONI or ndt7 JSON; or one run directory.
        targets: What marks a transfer as target: a server name, a suffix of one after a dot, or a file's path or name.
        controls: The same for controls.

    Raises:
        InputError: A file is absent or none of these; `CaptureError` and `RecordError` are kinds of it.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise InputError("nothing to observe: name a run directory, captures, or files of measurements")
    runs = [path for path in files if path.is_dir()]
    if runs and len(files) > 1:
        raise InputError(f"{runs[0]}: a run directory is observed alone; detect several runs one after the other")
    observation = observation_from_run(files[0]) if runs else _observe_files(files)
    targets, controls = tuple(targets), tuple(controls)
    if not (targets or controls):
        return observation
    transfers = tuple(replace(item, role=_role(item, targets, controls)) for item in observation.transfers)
    return replace(observation, transfers=transfers)


def _observe_files(files: list[Path]) -> Observation:
    kinds = {path: _kind(path) for path in files}
    observed = [observation_from_json(_read(path), where=str(path)) for path in files if kinds[path] == FORMAT]
    transfers = [transfer for observation in observed for transfer in observation.transfers]
    remarks = [note for observation in observed for note in observation.notes]
    for path in files:
        if kinds[path] in ("ooni", "ndt7"):
            read, notes = transfers_from_ooni(path) if kinds[path] == "ooni" else transfers_from_ndt7(path)
            transfers += read
            remarks += notes
    captured, notes = transfers_from_captures(path for path in files if kinds[path] == "capture")
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


def _kind(path: Path) -> str:
    if path.suffix.lower() == ".csv":
        return "table"
    if path.suffix.lower() not in _JSON_SUFFIXES:
        return "capture"
    text = _read(path)
    first_line = text.lstrip().split(b"\n", 1)[0]
    try:
        value = load_json(text, str(path))
    except InputError:
        value = load_json(first_line, str(path))  # one JSON object a line
    if isinstance(value, dict) and "format" in value:
        return FORMAT
    return "ndt7" if is_ndt7(value) else "ooni"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _role(transfer: Transfer, targets: tuple[str, ...], controls: tuple[str, ...]) -> Role:
    if _matches(transfer, targets):
        return Role.TARGET
    if _matches(transfer, controls):
        return Role.CONTROL
    return transfer.role


def _matches(transfer: Transfer, marks: tuple[str, ...]) -> bool:
    file_name = transfer.id.partition("#")[0]
    name = transfer.server_name or ""
    return any(name == mark or name.endswith(f".{mark}") or Path(mark).name == file_name for mark in marks if mark)
