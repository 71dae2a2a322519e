"""Rows of verdicts, one detector on one subject each: as JSON objects, and kept in the directory of the run judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.detectors.verdict import verdict_to_json
from testbed.errors import RecordError
from testbed.records.lock import locked
from testbed.records.run import RunDirectory
from testbed.records.verdicts import VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from testbed.detectors.verdict import Verdict

__all__ = ["DetectionRow", "detection_rows_json", "keep_verdicts"]


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


class DetectionDocument(VerdictRecord):
    """A row as it is printed.

    Keys:
        source: What was observed.
        notes: What observing left out.
        failed: Whether the detector failed; the verdict says how.
    """

    source: str
    notes: list[str]
    failed: bool


def detection_rows_json(rows: Sequence[DetectionRow]) -> list[DetectionDocument]:
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


def keep_verdicts(run: Path, rows: Iterable[DetectionRow]) -> None:
    """Write the rows of a run into its directory, in place of earlier ones of the same detectors.

    Several processes may do so at once: one after the other.

    Raises:
        RecordError: It cannot be written.
    """
    records: list[VerdictRecord] = [
        {"subject": row.subject, **verdict_to_json(row.verdict)} for row in rows if row.source == str(run)
    ]
    try:
        with locked(run):
            RunDirectory.open(run).keep_verdicts(records)
    except OSError as error:
        raise RecordError(f"verdicts cannot be kept in {run}: {error.strerror}") from error
