"""Run detectors over runs, captures and measurements, and show what they say: rows, a table, JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.capture import read_capture
from testbed.detectors.methods.pd import CUTOFFS, SegmentRow, segment_rows
from testbed.detectors.program import TIMEOUT_S
from testbed.detectors.registry import PROGRAM_PREFIX, detector_names, is_packaged, load_detector
from testbed.detectors.sources.marks import Marks
from testbed.detectors.sources.observe import observe
from testbed.detectors.sources.run import split_by_subject
from testbed.detectors.verdict import Outcome, Verdict, inconclusive, verdict_to_json
from testbed.errors import InputError, MissingError, RecordError, TestbedError
from testbed.plain_text import one_line
from testbed.records.lock import locked
from testbed.records.run import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from testbed.detectors.detector import Detector
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
    """One detector's verdict on one subject: a transfer of a run, or everything that was given.

    Attributes:
        source: What was observed.
        subject: A transfer's id, or "all".
        verdict: The detector's; inconclusive where it failed.
        notes: What observing left out.
        failed: Whether the detector failed; the verdict says how.
    """

    source: str
    subject: str
    verdict: Verdict
    notes: tuple[str, ...] = ()
    failed: bool = False


def detect(
    paths: Sequence[str | Path],
    detectors: Iterable[str] = (),
    *,
    targets: Iterable[str] = (),
    controls: Iterable[str] = (),
    even_if_invalid: bool = False,
    timeout_s: float = TIMEOUT_S,
) -> list[DetectionRow]:
    """Run detectors by name.

    A detector of another package, or a program, that fails costs its own rows.

    Args:
        paths: Run directories, each judged by itself transfer by transfer; all other files are one observation.
        detectors: Names, or ``exec:PROGRAM``; all registered ones if empty.
        targets: What marks transfers of captures and measurements as targets; see `observe`.
        controls: What marks them as controls.
        even_if_invalid: Whether runs will do that must not be scored; their notes then say so.
        timeout_s: Seconds that a program may take for one observation.

    Raises:
        InputError: A path or a name cannot be used, or a mark matches nothing. `MissingError`: A program cannot be
            started. `InvalidRunError`: A run must not be scored.
    """
    names = tuple(dict.fromkeys(detectors)) or detector_names()
    for name in names:
        if not (name.startswith(PROGRAM_PREFIX) or name in detector_names()):
            load_detector(name)  # says which there are
    marks = Marks(tuple(targets), tuple(controls))
    runs = [Path(path) for path in paths if Path(path).is_dir()]
    files = [Path(path) for path in paths if not Path(path).is_dir()]
    observations = [observe([run], even_if_invalid=even_if_invalid) for run in runs]
    if files or not runs:
        observations.append(observe(files))
    observations = [marks.assigned(observation) for observation in observations]
    marks.check(observations)
    rows: list[DetectionRow] = []
    loaded = [_load(name, timeout_s) for name in names]
    for number, observation in enumerate(observations):
        subjects = split_by_subject(observation) if number < len(runs) else [("all", observation)]
        for subject, part in subjects:
            for name, detector in loaded:
                verdict, failed = _verdict(name, detector, part)
                rows.append(DetectionRow(observation.source, subject, verdict, observation.notes, failed))
    return rows


def _load(name: str, timeout_s: float) -> tuple[str, Detector | InputError]:
    """Return a detector; that of another package which cannot be loaded as its error."""
    try:
        return name, load_detector(name, timeout_s=timeout_s)
    except InputError as error:
        if is_packaged(name) or name.startswith(PROGRAM_PREFIX):
            raise
        return name, error


def _verdict(name: str, detector: Detector | InputError, observation: Observation) -> tuple[Verdict, bool]:
    """Return a verdict, and whether it is none but the detector's failure."""
    try:
        if isinstance(detector, InputError):
            raise detector  # noqa: TRY301 - one way for every failure
        verdict: object = detector.detect(observation)
        if not isinstance(verdict, Verdict):
            raise InputError(f"it returned {type(verdict).__name__}, not a verdict")  # noqa: TRY301
        if verdict.detector != name and is_packaged(verdict.detector):
            raise InputError(f"it calls itself {verdict.detector!r}, a detector of the testbed's")  # noqa: TRY301
    except MissingError:
        raise
    except Exception as error:  # noqa: BLE001 - of whatever kind: other people's code
        said = str(error) if isinstance(error, TestbedError) else f"{type(error).__name__}: {error}"
        return inconclusive(name, f"the detector failed: {said}"), True
    return verdict, False


def keep_verdicts(run: Path, rows: Iterable[DetectionRow]) -> None:
    """Write the rows of a run into its directory, in place of earlier ones of the same detectors.

    Several processes may do so at once: one after the other.

    Raises:
        RecordError: It cannot be written.
    """
    records = [{"subject": row.subject, **verdict_to_json(row.verdict)} for row in rows if row.source == str(run)]
    try:
        with locked(run):
            RunDirectory.open(run).keep_verdicts(records)
    except OSError as error:
        raise RecordError(f"verdicts cannot be kept in {run}: {error.strerror}") from error


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
        lines += [
            f"  {one_line(name):{max(map(len, idle))}}  {_shortened(why, why_width)}" for name, why in idle.items()
        ]
    return "\n".join(lines)


def _cells(row: DetectionRow, why_width: int) -> tuple[str, ...]:
    verdict = row.verdict
    rate = "" if verdict.rate_bps is None else f"{verdict.rate_bps / 1e3:.0f}"
    why = _shortened(verdict.why, why_width)
    return (one_line(row.subject), one_line(verdict.detector), str(verdict.outcome), rate, verdict.mechanism or "", why)


def _shortened(text: str, width: int) -> str:
    text = one_line(text)
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
    """Return rows as JSON objects: source, subject, every field of the verdict, what was left out, if it failed."""
    return [
        {
            "source": row.source,
            "subject": row.subject,
            **verdict_to_json(row.verdict),
            "notes": list(row.notes),
            "failed": row.failed,
        }
        for row in rows
    ]


def policing_rows_json(
    paths: Iterable[str | Path], *, tell: Callable[[str], None] = lambda _: None
) -> list[dict[str, JsonValue]]:
    """Return PD's table of captures, one object a segment, with the fields of the authors' published table by name.

    ``name`` is the capture's name without its endings; ``policed_cutoff0`` and ``result_cutoff0`` are the verdict and
    "[code 0, RATE bps, BURST bytes burst]" (or "[code N, null, null]") as published, likewise for cutoff 2; the parts
    follow as ``code_cutoff0``, ``rate_bps_cutoff0``, ``burst_bytes_cutoff0``.

    Args:
        paths: Captures.
        tell: Is told what was left out, in sentences.

    Raises:
        CaptureError: A capture cannot be read.
    """
    rows = []
    for path in paths:
        capture = read_capture(path)
        for sentence in capture.notes.sentences():
            tell(f"{path}: {sentence}")
        notes = {"notes": capture.notes.sentences()}
        rows += [_policing_row_json(_capture_name(Path(path)), row) | notes for row in segment_rows(capture.flows)]
    return rows


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
