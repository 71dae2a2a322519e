"""Run detectors over runs, captures and measurements, and show what they say: rows, a table, JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.capture import read_capture
from testbed.detectors.methods.policing import CUTOFFS, SegmentRow, segment_rows
from testbed.detectors.observe import observe
from testbed.detectors.registry import detector_names, load_detector
from testbed.detectors.sources.run import split_by_subject
from testbed.detectors.verdict import Outcome, Verdict, verdict_to_json
from testbed.records.run import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testbed.detectors.observation import Observation
    from testbed.detectors.verdict import JsonValue

__all__ = [
    "DetectionRow",
    "detect",
    "detect_observation",
    "detection_rows_json",
    "format_table",
    "keep_verdicts",
    "policing_rows_json",
]

_CAPTURE_NAME_ENDS: Final = (".xz", ".gz", ".pcap", ".pcapng", ".cap")
_WHY_WIDTH: Final = 90


@dataclass(frozen=True, slots=True)
class DetectionRow:
    """One detector's verdict on one subject: a transfer of a run, or everything that was given."""

    source: str
    subject: str
    verdict: Verdict


def detect(
    paths: Sequence[str | Path],
    detectors: Iterable[str] = (),
    *,
    targets: Iterable[str] = (),
    controls: Iterable[str] = (),
) -> list[DetectionRow]:
    """Run detectors by name.

    Args:
        paths: Run directories, each judged by itself transfer by transfer; all other files are one observation.
        detectors: Names, or ``exec:PROGRAM``; all registered ones if empty.
        targets: What marks transfers of captures and measurements as targets; see `observe`.
        controls: What marks them as controls.

    Raises:
        InputError: A path or a name cannot be used. `MissingError`: A program cannot be started.
    """
    loaded = [load_detector(name) for name in (tuple(detectors) or detector_names())]
    runs = [Path(path) for path in paths if Path(path).is_dir()]
    files = [Path(path) for path in paths if not Path(path).is_dir()]
    subjects: list[tuple[str, Observation]] = []
    for run in runs:
        subjects += split_by_subject(observe([run], targets=targets, controls=controls))
    if files or not runs:
        observation = observe(files, targets=targets, controls=controls)
        subjects.append(("all", observation))
    return [
        DetectionRow(observation.source, subject, detector.detect(observation))
        for subject, observation in subjects
        for detector in loaded
    ]


def keep_verdicts(run: Path, rows: Iterable[DetectionRow]) -> None:
    """Write the rows of a run into its directory, in place of earlier ones of the same detectors.

    Raises:
        RecordError: It cannot be written.
    """
    records = [{"subject": row.subject, **verdict_to_json(row.verdict)} for row in rows if row.source == str(run)]
    RunDirectory.open(run).keep_verdicts(records)


def detect_observation(observation: Observation, detectors: Iterable[str] = ()) -> list[Verdict]:
    """Run detectors by name (all registered ones if empty) over one observation."""
    return [load_detector(name).detect(observation) for name in (tuple(detectors) or detector_names())]


def format_table(rows: Sequence[DetectionRow], *, everything: bool = False, why_width: int = _WHY_WIDTH) -> str:
    """Return rows as a text table: subject, detector, verdict, rate, mechanism, and why.

    A detector that could judge none of several subjects is left out of the table and named below it, with its reason.
    ``everything`` keeps those rows.
    """
    idle = {} if everything else _without_verdict(rows)
    head = ("subject", "detector", "verdict", "kbit/s", "mechanism", "why")
    cells = [head, *(_cells(row, why_width) for row in rows if row.verdict.detector not in idle)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = []
    previous = ""
    for line in cells:
        shown = ("" if line[0] == previous else line[0], *line[1:])
        previous = line[0]
        padded = [
            cell.rjust(width) if name == "kbit/s" else cell.ljust(width)
            for name, cell, width in zip(head, shown, widths, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    if idle:
        lines += ["", "inconclusive on everything:"]
        lines += [f"  {name:{max(map(len, idle))}}  {_shortened(why, why_width)}" for name, why in idle.items()]
    return "\n".join(lines)


def _cells(row: DetectionRow, why_width: int) -> tuple[str, ...]:
    verdict = row.verdict
    rate = "" if verdict.rate_bps is None else f"{verdict.rate_bps / 1e3:.0f}"
    why = _shortened(verdict.why, why_width)
    return (row.subject, verdict.detector, str(verdict.outcome), rate, verdict.mechanism or "", why)


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _without_verdict(rows: Sequence[DetectionRow]) -> dict[str, str]:
    """Return the detectors that were inconclusive on each of several subjects, with the reason given most often.

    What they said of subjects that another detector calls throttled goes first: there a reader misses them.
    """
    throttled = {row.subject for row in rows if row.verdict.outcome is Outcome.THROTTLED}
    by_detector: dict[str, list[DetectionRow]] = {}
    for row in rows:
        by_detector.setdefault(row.verdict.detector, []).append(row)
    idle = {}
    for name, given in by_detector.items():
        if len(given) > 1 and all(row.verdict.outcome is Outcome.INCONCLUSIVE for row in given):
            missed = [row for row in given if row.subject in throttled] or given
            idle[name] = Counter(row.verdict.why for row in missed).most_common(1)[0][0]
    return idle


def detection_rows_json(rows: Sequence[DetectionRow]) -> list[dict[str, JsonValue]]:
    """Return rows as JSON objects: source, subject, and every field of the verdict."""
    return [{"source": row.source, "subject": row.subject, **verdict_to_json(row.verdict)} for row in rows]


def policing_rows_json(paths: Iterable[str | Path]) -> list[dict[str, JsonValue]]:
    """Return PD's table of captures, one object a segment, with the fields of the authors' published table by name.

    ``name`` is the capture's name without its endings; ``policed_cutoff0`` and ``result_cutoff0`` are the verdict and
    "[code 0, RATE bps, BURST bytes burst]" (or "[code N, null, null]") as published, likewise for cutoff 2; the parts
    follow as ``code_cutoff0``, ``rate_bps_cutoff0``, ``burst_bytes_cutoff0``.

    Raises:
        CaptureError: A capture cannot be read.
    """
    return [
        _policing_row_json(_capture_name(Path(path)), row)
        for path in paths
        for row in segment_rows(read_capture(path).flows)
    ]


def _capture_name(path: Path) -> str:
    name = path.name
    while name.endswith(_CAPTURE_NAME_ENDS):
        name = name.rpartition(".")[0]
    return name


def _policing_row_json(name: str, row: SegmentRow) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = {
        "name": name,
        "flow": row.flow,
        "segment": row.segment,
        "direction": row.direction,
        "packets": row.packets,
        "losses": row.losses,
    }
    for cutoff, result in zip(CUTOFFS, row.results, strict=True):
        value |= {f"policed_cutoff{cutoff}": result.policed, f"result_cutoff{cutoff}": str(result)}
    for cutoff, result in zip(CUTOFFS, row.results, strict=True):
        value |= {
            f"code_cutoff{cutoff}": int(result.code),
            f"rate_bps_cutoff{cutoff}": None if result.rate_bps is None else int(result.rate_bps),
            f"burst_bytes_cutoff{cutoff}": result.burst_bytes,
        }
    return value
