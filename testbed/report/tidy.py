"""One tidy table of many runs: a row a transfer, with what was measured, the ground truth, and what detectors said.

Tidy in the usual sense: each row is one observation, each column one variable, in the units that the name says. So it
can be read by pandas, R or a spreadsheet without knowing the run directory.
"""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING

from testbed.errors import InputError, MissingError, RecordError
from testbed.records.clock import iso_time
from testbed.records.label import COUNTED, label, treatment
from testbed.records.run import RunDirectory
from testbed.records.standing import MALFORMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from testbed.records.label import Label, Treatment
    from testbed.records.manifest import Manifest

__all__ = ["COLUMNS", "FORMATS", "tidy_rows", "write_table"]

Cell = bool | int | float | str | None

_OF_RUN = ("run", "scenario", "seed", "engine", "date", "valid")
_OF_TRANSFER = (
    "id", "group", "line", "name", "role", "kind", "ip", "protocol", "sni", "direction", "ok", "bytes", "start_s",
    "duration_s", "goodput_bps", "handshake_s", "error",
)  # fmt: skip
_TRUTH = ("throttled", "action", "rule", "drops", "hello", "published")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TWIN = ("ok", "duration_s", "goodput_bps", "handshake_s")
COLUMNS = (
    *_OF_RUN, *_OF_TRANSFER, *(f"truth_{name}" for name in _TRUTH), "truth_label", "truth_treatment",
    *(f"without_boxes_{name}" for name in _TWIN),
)  # fmt: skip
"""The columns that every table has; behind them stands one for each detector, ``verdict_NAME``."""


def tidy_rows(paths: Iterable[Path], counted: Mapping[Treatment, Label] = COUNTED) -> list[dict[str, Cell]]:
    """Read the rows of some runs, in their order.

    Args:
        paths: Run directories.
        counted: How treatments count in the label.

    A run that is invalid or not complete has its rows too, as far as it got: ``valid`` is false there, and whoever
    scores must leave them out.

    Raises:
        RecordError: One of them is no run directory, or its manifest cannot be read.
    """
    rows: list[dict[str, Cell]] = []
    detectors: dict[str, None] = {}  # a set that keeps the order in which they first appear
    for path in paths:
        run = RunDirectory.open(path)
        try:
            of_run, verdicts = list(_rows_of(path, run.manifest(), counted)), _verdicts(run)
        except MALFORMED as error:
            problem = f"a record lacks a key, or holds another kind of value ({type(error).__name__}: {error})"
            raise RecordError(f"{path}: {problem}; make the run again") from error
        detectors |= dict.fromkeys(detector for _, detector in verdicts)
        for row in of_run:
            said = {name: verdicts.get((str(row["id"]), name)) for name in detectors}
            rows.append({**row, **{f"verdict_{name}": outcome for name, outcome in said.items()}})
    # A detector that has judged only some of the runs has empty cells in the others, and a column in all.
    columns = [*COLUMNS, *(f"verdict_{name}" for name in detectors)]
    return [{column: row.get(column) for column in columns} for row in rows]


def _verdicts(run: RunDirectory) -> dict[tuple[str, str], Cell]:
    """Return what each detector said of each transfer."""
    return {(str(each["subject"]), str(each["detector"])): _cell(each["outcome"]) for each in run.verdicts()}


def _rows_of(path: Path, manifest: Manifest, counted: Mapping[Treatment, Label]) -> Iterable[dict[str, Cell]]:
    start_ns = manifest.get("start_ns")
    of_run: dict[str, Cell] = {
        "run": str(path), "scenario": manifest.get("scenario"), "seed": manifest.get("seed"),
        "engine": manifest.get("engine"), "date": None if start_ns is None else iso_time(start_ns),
        "valid": manifest.get("valid", False),
    }  # fmt: skip
    for transfer in [*manifest.get("transfers", []), *manifest.get("background", [])]:
        told: dict[str, Cell] = {name: _cell(transfer.get(name)) for name in _OF_TRANSFER}
        told["ip"] = transfer.get("ip", 4)
        truth = {f"truth_{name}": _cell(transfer.get(name)) for name in _TRUTH}
        said: dict[str, Cell] = {"truth_label": label(transfer, counted), "truth_treatment": treatment(transfer)}
        twin: Mapping[str, object] = transfer.get("without_boxes", {})
        without = {f"without_boxes_{name}": _cell(twin.get(name)) for name in _TWIN}
        yield {**of_run, **told, **truth, **said, **without}


def _cell(value: object) -> Cell:
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no such number, and no measurement is one
    if isinstance(value, str):
        # Half a surrogate pair, which JSON may hold, is no text that a file could.
        return value.encode("utf-8", "backslashreplace").decode()
    return value if isinstance(value, bool | int | float) or value is None else json.dumps(value)


def write_table(rows: Sequence[dict[str, Cell]], form: str, path: Path | None) -> str | None:
    """Write a table.

    Args:
        rows: As `tidy_rows` gives them.
        form: One of `FORMATS`.
        path: Of the file; None: the table is returned as text.

    Raises:
        InputError: The file cannot be written, or a format needs one and there is none.
        MissingError: ``parquet`` needs pyarrow.
    """
    if form == "parquet":
        _write_parquet(rows, path)
        return None
    text = _as_csv(rows) if form == "csv" else json.dumps(list(rows))
    if path is None:
        return text
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another file with -o") from error
    return None


def _as_csv(rows: Sequence[dict[str, Cell]]) -> str:
    """As RFC 4180 has it, but for line ends; true and false in lower case, an empty cell for what is not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0] if rows else COLUMNS)
    for row in rows:
        writer.writerow([_in_csv(cell) for cell in row.values()])
    return text.getvalue()


def _in_csv(cell: Cell) -> Cell:
    if isinstance(cell, bool):
        return str(cell).lower()
    # A spreadsheet would compute a text that begins so: names come from scenarios and runs of strangers.
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _write_parquet(rows: Sequence[dict[str, Cell]], path: Path | None) -> None:
    try:
        import pyarrow as pa  # noqa: PLC0415 - not a dependency: whoever wants this format has it
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingError("parquet needs pyarrow; run: pip install pyarrow, or choose csv") from error
    if path is None:
        raise InputError("parquet is no text: say where to write it with -o")
    parquet.write_table(pa.Table.from_pylist(list(rows)), path)


FORMATS = ("csv", "json", "parquet")
