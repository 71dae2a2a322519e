"""Speed tests from CSV: the crowd measurements of March 2021 as published, or a plain table of one's own."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import SpeedTable
from testbed.detectors.sources.files import read_text
from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["speeds_from_csv"]

# columns of https://github.com/4ndv/russia-twitter-throttle, speeds in kbit/s
_CROWD_COLUMNS: Final = (
    "datetime_rounded",
    "asn",
    "as_country",
    "test_result",
    "control_result",
    "control_taco_result",
)
_BPS_PER_UNIT: Final = {"_bps": 1.0, "_kbps": 1e3, "_mbps": 1e6}
_MAX_ERRORS_SHOWN: Final = 3  # with their reasons; all are named by line
_DELIMITERS: Final = (",", ";", "\t")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# digits that are a date and not seconds: YYYYMMDD, with hours and minutes, with seconds
_DATES: Final = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_PARTS_OF_A_DATE: Final = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])?", re.ASCII)
# finer units of time since 1970, by the least number of each: 1973 in that unit, 5138 in the one before
_UNITS: Final = ((1e17, 1e9, "nanoseconds"), (1e14, 1e6, "microseconds"), (1e11, 1e3, "milliseconds"))


@dataclass(slots=True)
class _Rows:
    times_s: list[float] = field(default_factory=list)
    target_bps: list[float] = field(default_factory=list)
    controls_bps: dict[str, list[float]] = field(default_factory=dict)
    group: list[str] = field(default_factory=list)
    left_out: list[tuple[str, int, str]] = field(default_factory=list)
    remarks: dict[str, str] = field(default_factory=dict)


def speeds_from_csv(paths: Iterable[Path]) -> tuple[SpeedTable, list[str]]:
    """Read speed tests.

    A file has a header line and either the columns of the published crowd data, or: ``time`` (seconds since 1970, or
    finer units, or ISO 8601, UTC where it does not say), ``target_bps`` (or ``_kbps``, ``_mbps``), any number of
    ``control..._bps``, and ``group`` if there are several. Columns are divided by commas; by semicolons or tabs, where
    numbers may have decimal commas. Rows with an absent, negative or infinite speed are left out and remarked.

    Raises:
        InputError: A file cannot be read, lacks a column or has it twice, has no row that can be used, or the files
            have different controls.
    """
    rows = _Rows()
    for path in paths:
        before = len(rows.times_s), len(rows.left_out)
        try:
            _read(read_text(path), path, rows)
        except csv.Error as error:
            raise InputError(f"{path}: cannot be read as CSV: {error}") from error
        left_out = rows.left_out[before[1] :]
        if left_out and len(rows.times_s) == before[0]:
            raise InputError(f"{path}: no row can be used: {_left_out(left_out)}")
    remarks = list(rows.remarks.values())
    if rows.left_out:
        remarks.append(_left_out(rows.left_out))
    speeds = SpeedTable(
        times_s=np.array(rows.times_s, np.float64),
        target_bps=np.array(rows.target_bps, np.float64),
        controls_bps={name: np.array(column, np.float64) for name, column in rows.controls_bps.items()},
        group=np.array(rows.group, dtype=np.str_),
    )
    return speeds, remarks


def _left_out(rows: list[tuple[str, int, str]]) -> str:
    """Return every row that was left out by its line, and why the first were."""
    lines: dict[str, list[int]] = {}
    for name, line, _ in rows:
        lines.setdefault(name, []).append(line)
    where = "; ".join(f"{name} lines {_ranges(numbers)}" for name, numbers in lines.items())
    shown = "; ".join(f"{name} line {line}: {why}" for name, line, why in rows[:_MAX_ERRORS_SHOWN])
    return f"{len(rows)} rows left out: {shown}" + (f"; all: {where}" if len(rows) > _MAX_ERRORS_SHOWN else "")


def _ranges(numbers: list[int]) -> str:
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _read(text: str, path: Path, rows: _Rows) -> None:
    # Spreadsheets of countries with decimal commas divide columns by semicolons.
    head = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    names = [name.strip() for name in next(reader, [])]
    is_crowd = all(name in names for name in _CROWD_COLUMNS)
    speeds = _speed_columns(names, path, is_crowd=is_crowd)
    controls = [name for name in speeds if name != "target"]
    if rows.times_s and sorted(rows.controls_bps) != sorted(controls):
        raise InputError(f"{path}: its controls are {controls}, those of the files before {sorted(rows.controls_bps)}")
    for name in controls:
        rows.controls_bps.setdefault(name, [])
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            row = _row(names, cells)
            time_s = _time(row["datetime_rounded"] if is_crowd else row["time"], rows.remarks)
            values = {
                name: _speed(row[column], has_decimal_commas=delimiter != ",") * unit
                for name, (column, unit) in speeds.items()
            }
        except ValueError as error:
            rows.left_out.append((path.name, reader.line_num, str(error)))
            continue
        rows.times_s.append(time_s)
        rows.target_bps.append(values["target"])
        for name in controls:
            rows.controls_bps[name].append(values[name])
        rows.group.append(_crowd_group(row) if is_crowd else row.get("group") or "all")


def _row(names: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(names):
        raise ValueError(f"{len(cells)} columns, where the header has {len(names)}")
    return dict(zip(names, cells, strict=True))


def _speed_columns(names: list[str], path: Path, *, is_crowd: bool) -> dict[str, tuple[str, float]]:
    """Each series with its column and that column's unit.

    Raises:
        InputError: A column is absent, or there twice: under one name, or in two units.
    """
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: the column {twice!r} is there {names.count(twice)} times; rename all but one")
    if is_crowd:
        crowd = {"target": "test_result", "control": "control_result", "control_taco": "control_taco_result"}
        return {series: (column, 1e3) for series, column in crowd.items()}
    speeds: dict[str, tuple[str, float]] = {}
    for name in names:
        series, _, unit = name.rpartition("_")
        if f"_{unit}" not in _BPS_PER_UNIT or not series:
            continue
        if series in speeds:
            raise InputError(f"{path}: {speeds[series][0]!r} and {name!r} are one series; leave one out")
        speeds[series] = (name, _BPS_PER_UNIT[f"_{unit}"])
    if "time" not in names or "target" not in speeds:
        raise InputError(f"{path}: expected columns time and target_bps, or those of the crowd data; found {names}")
    return speeds


def _crowd_group(row: dict[str, str]) -> str:
    """Return country and network, as in "RU AS12389"; "?" stands for what the data do not say."""
    number = row["asn"].removesuffix(".0")
    return f"{row['as_country'] or '?'} AS{number or '?'}"


def _time(text: str, remarks: dict[str, str]) -> float:
    text = text.strip()
    if not text:
        raise ValueError("no time")
    if _PARTS_OF_A_DATE.fullmatch(text):
        raise ValueError(f"time {text!r} looks like a part of a date; write a date as in 2021-03-10T07:00Z")
    # Eight digits may be a date or seconds; seconds of the years 19.. and 20.. would lie in 1970, before any
    # speed test.
    if text.isdecimal() and text.startswith(("19", "20")) and len(text) in _DATES:
        try:
            moment = datetime.strptime(text, _DATES[len(text)]).replace(tzinfo=UTC)
        except ValueError:
            pass
        else:
            remarks.setdefault("dates", f"times such as {text} are read as dates")
            return moment.timestamp()
    if not _NUMBER.fullmatch(text):
        moment = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    seconds = float(text)
    # Nobody measured after the year 5138, nor before 1973: what is larger than a time in seconds is in a finer unit.
    for least, per_s, unit in _UNITS:
        if least <= abs(seconds) < least * 1e3:
            remarks.setdefault(unit, f"times such as {text} are read as {unit} since 1970")
            return seconds / per_s
    if abs(seconds) >= _UNITS[-1][0]:
        raise ValueError(f"time {text!r}")
    return seconds


def _speed(text: str, *, has_decimal_commas: bool) -> float:
    text = text.strip()
    if "," in text and has_decimal_commas and "." not in text and text.count(",") == 1:
        text = text.replace(",", ".")
    elif "," in text:
        raise ValueError(f"speed {text!r} has a comma, for decimals or for thousands: write a point, or none")
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"speed {text!r}")
    speed = float(text)
    if not math.isfinite(speed) or speed < 0:
        raise ValueError(f"speed {text!r}")
    return speed
