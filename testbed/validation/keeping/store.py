"""What came of cells, and what detectors said of them: files by key, written aside and moved into place.

A folder ``cells/KEY`` holds ``cell.json`` (the transfers with their ground truth) and an observation for each line,
which has no truth in it. ``verdicts/KEY.json`` holds one verdict; its key is the observation's content and the
detector's. So nothing that has ended is lost, whoever dies, and a detector that has changed is asked without a run.

What is damaged counts as not there: a cell is made again, and a detector is asked again. Each is told.
"""

# No postponed annotations: `testbed.records.shape` reads them, and the names in them have to be there.

import contextlib
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NotRequired, TypedDict, TypeVar

from testbed.detectors.verdict import Verdict
from testbed.errors import RecordError
from testbed.records.files import read_regular, write_atomically
from testbed.records.manifest import TransferSummary
from testbed.records.shape import shaped
from testbed.validation.keeping.aside import remove_abandoned, using, work_folder

__all__ = ["CellRecord", "Limit", "Store", "VerdictRecord", "verdict_record"]

Kept = TypeVar("Kept")

FORMAT: Literal[2] = 2


class Limit(TypedDict):
    """The limit that slowed a transfer.

    Keys:
        mechanism: As a verdict calls it; None: it has no word for it.
        rate_bps: Bits a second; None: it has no rate.
        onset_s: When it first touched the transfer, seconds since that one's start.
    """

    mechanism: str | None
    rate_bps: float | None
    onset_s: float


class CellRecord(TypedDict):
    """What is kept of a run.

    Keys:
        twin: Whether all boxes were cables.
        valid: Whether it may be scored; ``problems`` says why not.
        limits: Of the transfers that a box slowed, by their id.
        observations: By line: the digest of its observation, without the place where it was made.
        replay: The command line that makes the run again.
    """

    format: Literal[2]
    scenario: str
    settings: list[str]
    seed: int
    twin: bool
    valid: bool
    problems: list[str]
    transfers: list[TransferSummary]
    limits: dict[str, Limit]
    observations: dict[str, str]
    replay: str


class VerdictRecord(TypedDict):
    """What a detector said of an observation (`testbed.records.verdicts`); ``failed`` says why it said nothing."""

    format: Literal[2]
    detector: str
    outcome: Literal["throttled", "not throttled", "inconclusive"]
    score: float | None
    rate_bps: float | None
    mechanism: str | None
    content_specific: bool | None
    onset_s: float | None
    why: str
    failed: NotRequired[str]


def verdict_record(detector: str, verdict: Verdict, *, failed: bool) -> VerdictRecord:
    """Return what is kept of a verdict.

    Args:
        detector: The name by which it was asked.
        verdict: What it said.
        failed: Whether that is why it said nothing.
    """
    record: VerdictRecord = {
        "format": FORMAT, "detector": detector, "outcome": verdict.outcome.value, "score": verdict.score,
        "rate_bps": verdict.rate_bps, "mechanism": None if verdict.mechanism is None else str(verdict.mechanism),
        "content_specific": verdict.content_specific, "onset_s": verdict.onset_s, "why": verdict.why,
    }  # fmt: skip
    if failed:
        record["failed"] = verdict.why
    return record


class Store:
    """A folder of cells and verdicts. Several processes may use one at the same time.

    Whatever writes there raises RecordError where it cannot.

    Args:
        path: The folder; it is made if it is not there.
        tell: Called with a line for each thing that is damaged.
    """

    def __init__(self, path: Path, tell: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self._tell = tell
        with using(path):
            for name in ("cells", "verdicts", "work"):
                (path / name).mkdir(parents=True, exist_ok=True)
            remove_abandoned(path / "work")

    def all_keys(self) -> list[str]:
        """Return the keys of all cells."""
        return sorted(path.name for path in (self.path / "cells").iterdir() if path.is_dir())

    def cell_path(self, key: str) -> Path:
        """Return the folder of a cell."""
        return self.path / "cells" / key

    def cell(self, key: str) -> CellRecord | None:
        """Return what came of a cell; None: it is not there as a whole. What is left of a damaged one is removed.

        Raises:
            RecordError: It may be there, and cannot be read now.
        """
        try:
            record = self._read(self.cell_path(key) / "cell.json", CellRecord)
            for digest in [] if record is None else record["observations"].values():
                self._observation(key, digest)
        except ValueError as error:
            self._tell(f"{error}; the cell is made again")
            self.forget_cell(key)
            return None
        if record is not None:
            _mark_read(self.cell_path(key) / "cell.json")
        return record

    def keep_cell(self, key: str, record: CellRecord, observations: dict[str, str]) -> None:
        """Write a cell down as a whole: whoever finds it finds all of it.

        Args:
            key: Of the cell.
            record: Without ``observations``, which is filled in.
            observations: By line, as JSON.
        """
        record["observations"] = {line: _digest(text) for line, text in observations.items()}
        with using(self.path), work_folder(self.path / "work") as aside:
            for line, text in observations.items():
                (aside / f"{record['observations'][line]}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
            (aside / "cell.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
            self._sync(aside)
            try:
                aside.rename(self.cell_path(key))
            except OSError:
                # Another process made the same cell meanwhile, and it is the same; or what stands there is damaged.
                if self.cell(key) is None:
                    self.forget_cell(key)
                    aside.rename(self.cell_path(key))

    def forget_cell(self, key: str) -> None:
        """Remove a cell, so that it is made again."""
        # Moved away first, at once: a process that is killed here must not leave half a cell.
        with using(self.path), work_folder(self.path / "work") as aside, contextlib.suppress(FileNotFoundError):
            self.cell_path(key).rename(aside / "cell")

    def observation_path(self, key: str, digest: str) -> Path:
        """Return where an observation's file is, compressed."""
        return self.cell_path(key) / f"{digest}.json.gz"

    def observation(self, key: str, digest: str) -> str:
        """Return an observation as JSON.

        Raises:
            RecordError: It cannot be read, or was damaged since its cell was found whole.
        """
        try:
            return self._observation(key, digest)
        except ValueError as error:
            raise RecordError(f"{error}; give the command again, and the cell is made again") from error

    def _observation(self, key: str, digest: str) -> str:
        path = self.observation_path(key, digest)
        try:
            text = gzip.decompress(read_regular(path)).decode()
        except (FileNotFoundError, gzip.BadGzipFile, EOFError, ValueError, zlib.error) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        except OSError as error:
            raise RecordError(f"cannot read {path}: {error.strerror}") from error
        if _digest(text) != digest:
            raise ValueError(f"{path} is not what was written")
        return text

    def verdict(self, observation: str, detector: str) -> VerdictRecord | None:
        """Return what a detector said of an observation, both by digest; None: it was not asked, or is to be again.

        Raises:
            RecordError: It may be there, and cannot be read now.
        """
        path = self._verdict_path(observation, detector)
        try:
            record = self._read(path, VerdictRecord)
        except ValueError as error:
            self._tell(f"{error}; the detector is asked again")
            return None
        if record is not None:
            _mark_read(path)
        return record

    def has_verdict(self, observation: str, detector: str) -> bool:
        """Return whether something was written down of what a detector said, whole or not; nothing is told."""
        return self._verdict_path(observation, detector).exists()

    def verdict_paths(self) -> list[Path]:
        """Return the files of all verdicts."""
        return sorted((self.path / "verdicts").glob("*.json"))

    def is_whole_verdict(self, path: Path) -> bool:
        """Return whether a verdict's file can be read as one."""
        try:
            return self._read(path, VerdictRecord) is not None
        except ValueError:
            return False

    def keep_verdict(self, observation: str, detector: str, record: VerdictRecord) -> None:
        """Write a verdict down."""
        with using(self.path):
            write_atomically(self._verdict_path(observation, detector), json.dumps(record))

    def forget_verdict(self, observation: str, detector: str) -> None:
        """Remove a verdict, so that the detector is asked again."""
        self.remove_verdict(self._verdict_path(observation, detector))

    def remove_verdict(self, path: Path) -> None:
        """Remove the file of a verdict."""
        with using(self.path):
            path.unlink(missing_ok=True)

    def _verdict_path(self, observation: str, detector: str) -> Path:
        return self.path / "verdicts" / f"{_digest(f'{observation} {detector}')}.json"

    @staticmethod
    def _read(path: Path, kind: type[Kept]) -> Kept | None:
        try:
            return shaped(json.loads(read_regular(path)), kind)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RecordError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error

    @staticmethod
    def _sync(folder: Path) -> None:
        """Bring a folder's files to the disk, before it takes the name by which it is found."""
        for path in folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _mark_read(path: Path) -> None:
    """Set a file's time to now: what nobody has read for long can go."""
    with contextlib.suppress(OSError):  # a store of somebody else may be read, and not written
        os.utime(path)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
