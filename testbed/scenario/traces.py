"""Traces of a link's capacity: mahimahi's format, and CSV.

Mahimahi (Netravali et al., USENIX ATC 2015, "Mahimahi: Accurate Record-and-Replay for HTTP") has a line for each moment
at which the link can carry 1500 bytes more, in whole milliseconds; at the last one the trace begins again. Such a trace
is taken here as a rate for each 50 ms. CSV has a header, ``time_s,rate_bps``, and a row for each step; the last step is
as long as the one before it.
"""

from __future__ import annotations

import contextlib
import csv
import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from testbed.errors import ScenarioError
from testbed.quantities import shown
from testbed.scenario import library

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from testbed.records.link_plan import TracePlan

__all__ = ["find_trace", "mean_bps", "read_trace"]

STEP_MS = 50
LEAST_BPS = 1_000
"""Of a step in which nothing can be sent: the kernel knows no rate of zero. A packet at most leaves in such a step."""
_OPPORTUNITY_BITS = 1500 * 8
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_HEADER = ["time_s", "rate_bps"]
_MOST_STEPS = 100_000
_MOST_BYTES = 10_000_000
_LEAST_STEP_S = 0.001
_LONGEST_S = 86_400
_FASTEST_BPS = 30_000_000_000  # as of any link


class _Row(NamedTuple):
    line: int
    time_s: float
    rate_bps: int


def read_trace(path: Path) -> TracePlan:
    """Read a trace.

    Raises:
        ScenarioError: File and line, what stands there, and what was expected.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ScenarioError(f"{path}: expected a trace of at most {_MOST_BYTES // 1_000_000} MB; shorten it")
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets write a byte order mark
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ScenarioError(f"cannot read the trace {path}: {error}") from error
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not lines:
        raise ScenarioError(f"{path}: the trace is empty; expected {_expected()}")
    plan = _of_rows(path, _rows(path, lines)) if "," in lines[0][1] else _of_opportunities(path, lines)
    if max(plan["rates_bps"]) <= LEAST_BPS:
        raise ScenarioError(f"{path}: nothing can ever be sent by this trace; fail the link with an outage instead")
    return plan


def find_trace(name: str, *, beside: Path) -> Path:
    """Return the file that a scenario means: one beside it, or a packaged trace by its name.

    Raises:
        ScenarioError: There is none; lists the packaged ones.
    """
    packaged = library.folder("scenarios") / "traces"
    for path in (beside / name, packaged / f"{name}.csv"):
        with contextlib.suppress(OSError, ValueError):  # too long for a file, NUL in it, in a folder that is closed
            if path.is_file():
                return path
    known = ", ".join(sorted(path.stem for path in packaged.glob("*.csv")))
    raise ScenarioError(f"no trace {shown(name)}: no such file beside the scenario, and none is packaged ({known})")


def mean_bps(trace: TracePlan) -> int:
    """Return the mean rate of a trace."""
    ends_s = [*trace["times_s"][1:], trace["period_s"]]
    spans_s = (end - begin for begin, end in zip(trace["times_s"], ends_s, strict=True))
    bits = sum(rate * span_s for rate, span_s in zip(trace["rates_bps"], spans_s, strict=True))
    return max(1, round(bits / trace["period_s"]))


def _expected() -> str:
    return "a line for each packet, in ms (mahimahi), or CSV with the header time_s,rate_bps"


def _of_opportunities(path: Path, lines: Iterable[tuple[int, str]]) -> TracePlan:
    counts: list[int] = []
    last_ms = 0
    for number, line in lines:
        if not line.isascii() or not line.isdigit():
            raise ScenarioError(f"{path}:{number}: {shown(line)}; expected {_expected()}")
        digits = line.lstrip("0") or "0"
        if len(digits) > len(str(_LONGEST_S * 1000)):  # Python reads no number of thousands of digits
            raise ScenarioError(f"{path}:{number}: {shown(line)} ms; a trace lasts a day at most")
        now_ms = int(digits)
        if now_ms < last_ms:
            raise ScenarioError(f"{path}:{number}: {now_ms} ms after {last_ms} ms: time goes backwards; sort the lines")
        if now_ms > _LONGEST_S * 1000:
            raise ScenarioError(f"{path}:{number}: {now_ms} ms; a trace lasts a day at most, and then begins again")
        step = max(0, now_ms - 1) // STEP_MS  # a packet at 50 ms ends the first step
        counts += [0] * (step + 1 - len(counts))
        counts[step] += 1
        last_ms = now_ms
    if last_ms == 0:
        raise ScenarioError(f"{path}: all packets are at 0 ms; expected a trace that lasts")
    # The last step may be cut short: the trace begins again at its last packet.
    ends_ms = [*range(STEP_MS, STEP_MS * len(counts), STEP_MS), last_ms]
    begins_ms = [0, *ends_ms[:-1]]
    rates = [
        count * _OPPORTUNITY_BITS * 1000 // (end - begin)
        for count, begin, end in zip(counts, begins_ms, ends_ms, strict=True)
    ]
    return _plan(path, [begin / 1000 for begin in begins_ms], rates, last_ms / 1000)


def _rows(path: Path, lines: list[tuple[int, str]]) -> Iterator[_Row]:
    (number, header), *rest = lines
    if [cell.strip().lower() for cell in header.split(",")] != _HEADER:
        raise ScenarioError(f"{path}:{number}: the header is {shown(header)}; expected {','.join(_HEADER)}")
    for number, line in rest:
        try:
            time_s, rate_bps = (_number(cell) for cell in next(csv.reader([line])))
        except (ValueError, csv.Error) as error:
            raise ScenarioError(
                f"{path}:{number}: {shown(line)}; expected seconds and bit/s, two numbers, such as 0.5,2400000"
            ) from error
        if not (math.isfinite(time_s) and 0 <= rate_bps <= _FASTEST_BPS):
            raise ScenarioError(f"{path}:{number}: {shown(line)}; expected a rate from 0 to {_FASTEST_BPS} bit/s")
        yield _Row(number, time_s, round(rate_bps))


def _number(cell: str) -> float:
    """Read a number as other programs write it: Python would take digits of any script, and underscores."""
    if not _NUMBER.fullmatch(cell.strip()):
        raise ValueError
    return float(cell)


def _of_rows(path: Path, rows: Iterable[_Row]) -> TracePlan:
    found = list(rows)
    if len(found) < 2:  # noqa: PLR2004 - one step is no trace
        raise ScenarioError(f"{path}: the trace has {len(found)} steps; expected two or more, or say the link's rate")
    if found[0].time_s != 0:
        raise ScenarioError(f"{path}:{found[0].line}: the trace begins at {found[0].time_s:g} s; expected 0")
    for before, after in pairwise(found):
        if after.time_s - before.time_s < _LEAST_STEP_S:
            raise ScenarioError(
                f"{path}:{after.line}: {after.time_s:g} s after {before.time_s:g} s; "
                "expected times that ascend by 1 ms or more"
            )
    if found[-1].time_s > _LONGEST_S:
        raise ScenarioError(f"{path}:{found[-1].line}: a trace lasts a day at most, and then begins again")
    period_s = found[-1].time_s + (found[-1].time_s - found[-2].time_s)
    return _plan(path, [row.time_s for row in found], [row.rate_bps for row in found], period_s)


def _plan(path: Path, times_s: list[float], rates_bps: list[int], period_s: float) -> TracePlan:
    if len(times_s) > _MOST_STEPS:
        raise ScenarioError(f"{path}: the trace has {len(times_s)} steps; expected at most {_MOST_STEPS}; shorten it")
    return {
        "times_s": times_s, "rates_bps": [max(LEAST_BPS, rate_bps) for rate_bps in rates_bps], "period_s": period_s,
    }  # fmt: skip
