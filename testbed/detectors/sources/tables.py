"""Speed tests from CSV: the crowd measurements of March 2021 as published, or a plain table of one's own."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import SpeedTable
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
_MAX_ERRORS_SHOWN: Final = 3


@dataclass(slots=True)
class _Rows:
    times_s: list[float] = field(default_factory=list)
    target_bps: list[float] = field(default_factory=list)
    controls_bps: dict[str, list[float]] = field(default_factory=dict)
    group: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def speeds_from_csv(paths: Iterable[Path]) -> tuple[SpeedTable, list[str]]:
    """Read speed tests.

    A file has a header line and either the columns of the published crowd data, or: ``time`` (seconds since 1970, or
    ISO 8601, UTC where it does not say), ``target_bps`` (or ``_kbps``, ``_mbps``), any number of ``control..._bps``,
    and ``group`` if there are several. Rows with an absent, negative or infinite speed are left out and remarked.

    Raises:
        InputError: A file cannot be read, lacks a column, or the files have different controls.
    """
    rows = _Rows()
    for path in paths:
        try:
            with path.open(newline="", encoding="utf-8") as table:
                _read(csv.DictReader(table, strict=True), path, rows)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot be read as CSV: {error}") from error
    remarks = []
    if rows.left_out:
        shown = "; ".join(rows.left_out[:_MAX_ERRORS_SHOWN])
        remarks.append(f"{len(rows.left_out)} rows left out: {shown}")
    speeds = SpeedTable(
        times_s=np.array(rows.times_s, np.float64),
        target_bps=np.array(rows.target_bps, np.float64),
        controls_bps={name: np.array(column, np.float64) for name, column in rows.controls_bps.items()},
        group=np.array(rows.group, dtype=np.str_),
    )
    return speeds, remarks


def _read(reader: csv.DictReader[str], path: Path, rows: _Rows) -> None:
    names = reader.fieldnames or []
    is_crowd = all(name in names for name in _CROWD_COLUMNS)
    speeds = {"target": "test_result", "control": "control_result", "control_taco": "control_taco_result"}
    if not is_crowd:
        speeds = {name.rpartition("_")[0]: name for name in names if f"_{name.rpartition('_')[2]}" in _BPS_PER_UNIT}
        if "time" not in names or "target" not in speeds:
            raise InputError(f"{path}: expected columns time and target_bps, or those of the crowd data; found {names}")
    controls = [name for name in speeds if name != "target"]
    if rows.times_s and sorted(rows.controls_bps) != sorted(controls):
        raise InputError(f"{path}: its controls are {controls}, those of the files before {sorted(rows.controls_bps)}")
    for name in controls:
        rows.controls_bps.setdefault(name, [])
    for row in reader:
        try:
            time_s = _time(row["datetime_rounded"] if is_crowd else row["time"])
            values = {
                name: _speed(row[column]) * (1e3 if is_crowd else _BPS_PER_UNIT[f"_{column.rpartition('_')[2]}"])
                for name, column in speeds.items()
            }
        except ValueError as error:
            rows.left_out.append(f"{path.name} line {reader.line_num}: {error}")
            continue
        rows.times_s.append(time_s)
        rows.target_bps.append(values["target"])
        for name in controls:
            rows.controls_bps[name].append(values[name])
        rows.group.append(_crowd_group(row) if is_crowd else row.get("group") or "all")


def _crowd_group(row: dict[str, str]) -> str:
    """Return country and network, as in "RU AS12389"; "?" stands for what the data do not say."""
    number = row["asn"].removesuffix(".0")
    return f"{row['as_country'] or '?'} AS{number or '?'}"


def _time(text: str | None) -> float:
    if not text:
        raise ValueError("no time")
    try:
        seconds = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise ValueError(f"time {text!r}")
    return seconds


def _speed(text: str | None) -> float:
    speed = float(text or "nan")
    if not math.isfinite(speed) or speed < 0:
        raise ValueError(f"speed {text!r}")
    return speed
