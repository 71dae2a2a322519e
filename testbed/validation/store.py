"""What came of cells, and what detectors said of them: files by key, written aside and moved into place.

A folder ``cells/KEY`` holds ``cell.json`` (the transfers with their ground truth) and an observation for each line,
which has no truth in it. ``verdicts/KEY.json`` holds one verdict; its key is the observation's content and the
detector's. So nothing that has ended is lost, whoever dies, and a detector that has changed is asked without a run.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, TypedDict, cast

from testbed.errors import RecordError
from testbed.records.files import write_atomically

if TYPE_CHECKING:
    from testbed.records.manifest import TransferSummary

__all__ = ["CellRecord", "Store", "VerdictRecord"]

FORMAT = 1


class CellRecord(TypedDict):
    """What is kept of a run.

    Keys:
        valid: Whether it may be scored; ``problems`` says why not.
        observations: By line: the digest of its observation, without the place where it was made.
        replay: The command line that makes the run again.
    """

    format: int
    scenario: str
    settings: list[str]
    seed: int
    valid: bool
    problems: list[str]
    transfers: list[TransferSummary]
    observations: dict[str, str]
    replay: str


class VerdictRecord(TypedDict):
    """What a detector said of an observation; ``failed`` says why it said nothing."""

    format: int
    detector: str
    outcome: str
    why: str
    failed: NotRequired[str]


class Store:
    """A folder of cells and verdicts. Several processes may use one at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            for name in ("cells", "verdicts", "work"):
                (path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError(f"cannot use the store {path}: {error.strerror}; choose another with --store") from error

    def cell(self, key: str) -> CellRecord | None:
        """Return what came of a cell; None: it is not there.

        Raises:
            RecordError: It is damaged.
        """
        return cast("CellRecord | None", self._read(self.path / "cells" / key / "cell.json"))

    def keep_cell(self, key: str, record: CellRecord, observations: dict[str, str]) -> None:
        """Write a cell down as a whole: whoever finds it finds all of it.

        Args:
            key: Of the cell.
            record: Without ``observations``, which is filled in.
            observations: By line, as JSON.
        """
        aside = Path(tempfile.mkdtemp(dir=self.path / "work"))
        record["observations"] = {line: _digest(text) for line, text in observations.items()}
        for line, text in observations.items():
            (aside / f"{record['observations'][line]}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
        (aside / "cell.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
        self._sync(aside)
        try:
            aside.rename(self.path / "cells" / key)
        except OSError:
            shutil.rmtree(aside)  # another process made the same cell meanwhile, and it is the same
            if self.cell(key) is None:
                raise

    def forget_cell(self, key: str) -> None:
        """Remove a cell, so that it is made again."""
        shutil.rmtree(self.path / "cells" / key, ignore_errors=True)

    def observation(self, key: str, digest: str) -> str:
        """Return an observation as JSON.

        Raises:
            RecordError: It is not there, or is not what it was.
        """
        path = self.path / "cells" / key / f"{digest}.json.gz"
        try:
            text = gzip.decompress(path.read_bytes()).decode()
        except (OSError, EOFError, ValueError) as error:
            raise RecordError(
                f"{path} cannot be read: {error}; remove its folder, and the cell is made again"
            ) from error
        if _digest(text) != digest:
            raise RecordError(f"{path} is not what was written; remove the folder, and the cell is made again")
        return text

    def verdict(self, observation: str, detector: str) -> VerdictRecord | None:
        """Return what a detector said of an observation, both by digest; None: it was not asked."""
        return cast("VerdictRecord | None", self._read(self._verdict_path(observation, detector)))

    def keep_verdict(self, observation: str, detector: str, record: VerdictRecord) -> None:
        """Write a verdict down."""
        write_atomically(self._verdict_path(observation, detector), json.dumps(record))

    def _verdict_path(self, observation: str, detector: str) -> Path:
        return self.path / "verdicts" / f"{_digest(f'{observation} {detector}')}.json"

    def _read(self, path: Path) -> object | None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RecordError(f"{path} is damaged: {error}; remove it, and it is made again") from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise RecordError(f"{path} is of another version; remove it, and it is made again")
        return found

    @staticmethod
    def _sync(folder: Path) -> None:
        """Bring a folder's files to the disk, before it takes the name by which it is found."""
        for path in folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
