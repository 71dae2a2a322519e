"""The run directory: its manifest, its state, its files.

manifest.json       scenario as resolved, seed, engine, kernel, versions, validity certificate, transfers
truth.jsonl         the boxes' events: ground truth
measurements.jsonl  what clients (and replaying servers) saw
captures/*.pcapng   at clients, servers and both sides of each box; TLS secrets embedded; comments on dropped packets
verdicts.jsonl      what detectors said of it
plan.json           what the guest was told
guest.log           what the guest's kernel and programs printed
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, cast

from testbed.errors import RecordError
from testbed.records.files import compress, read_regular, write_atomically
from testbed.records.jsonl import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from testbed.records.manifest import Manifest
    from testbed.records.measurements import Measurement
    from testbed.records.plan import PlanDocument
    from testbed.records.truth import TruthRecord
    from testbed.records.verdicts import VerdictRecord

__all__ = ["FORMAT", "SPOOL", "SWEEP_TABLE", "RunDirectory", "process_start"]

FORMAT = 1
SWEEP_TABLE = "table.csv"  # of all transfers, beside the run directories of a sweep
_MANIFEST = "manifest.json"
SPOOL = PurePath(".guest", "output")  # where the guest writes; in a run that has ended, all of it has been taken over
STATES = ("running", "checking", "incomplete", "complete")  # checking: all is recorded, captures are being converted


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A run directory that exists.

    Its records are typed as those are that a run writes, and are not checked: who reads a directory that may have
    been changed catches `testbed.records.standing.MALFORMED`.
    """

    path: Path

    @classmethod
    def create(cls, path: Path) -> RunDirectory:
        """Make a new one; a manifest that says "running" is in it at once.

        Raises:
            RecordError: It exists and is not empty, or cannot be made.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):  # also for a run that died: it may hold what somebody still wants to look at
                raise RecordError(f"{path} is not empty; runs are never overwritten: choose another folder with -o")
            for name in ("captures", "recordings"):
                (path / name).mkdir()
            run = cls(path)
            # from here on, whoever finds the folder can tell what it is, however the run ends
            run.write_manifest({"format": FORMAT, "state": "running"})
        except OSError as error:
            raise RecordError(
                f"cannot write the run directory {path}: {error.strerror}; choose another folder with -o"
            ) from error
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Return an existing one.

        Raises:
            RecordError: It is none, or of a format that is not known.
        """
        run = cls(path)
        manifest = run.manifest()
        if manifest.get("format") != FORMAT:
            raise RecordError(f"{path}: run format {manifest.get('format')!r} is unknown (known: {FORMAT})")
        if manifest.get("state") not in STATES:
            raise RecordError(f"{path}: state {manifest.get('state')!r} is unknown (known: {', '.join(STATES)})")
        return run

    def manifest(self) -> Manifest:
        """Return the manifest, as it is at this moment.

        Raises:
            RecordError: It cannot be read, or is no JSON object.
        """
        return cast("Manifest", self._object(_MANIFEST))

    def is_running(self) -> bool:
        """Whether the process that makes this run is still there; a run that says "running" without one has died."""
        manifest = self.manifest()
        process = manifest.get("process")
        if manifest.get("state") not in {"running", "checking"} or not isinstance(process, dict):
            return False
        # a number alone says little: when a run was killed, another process may soon have it
        pid, started = process.get("pid"), process.get("started")
        return isinstance(pid, int) and started is not None and process_start(pid) == started

    def write_manifest(self, manifest: Mapping[str, object]) -> None:
        """Replace the manifest as a whole."""
        write_atomically(self.path / _MANIFEST, json.dumps(manifest, indent=1) + "\n")

    def truth(self, box: str | None = None) -> list[TruthRecord]:
        """Return the ground truth in order, of all boxes or of one."""
        return list(self.each_truth(box))

    def each_truth(self, box: str | None = None) -> Iterator[TruthRecord]:
        """Yield what `truth` returns, record by record: a long run has more of them than fit into memory."""
        # Lines of other boxes are told by their bytes, for there may be a hundred of these.
        having = b"" if box is None else json.dumps(box).encode()
        for record in cast("Iterator[TruthRecord]", self._lines("truth.jsonl", having=having)):
            if box is None or record["box"] == box:
                yield record

    def measurements(self, transfer: str | None = None) -> list[Measurement]:
        """Return what clients saw, of all transfers or of one."""
        return list(self.each_measurement(transfer))

    def each_measurement(self, transfer: str | None = None) -> Iterator[Measurement]:
        """Yield what `measurements` returns, record by record."""
        for record in cast("Iterator[Measurement]", self._lines("measurements.jsonl")):
            if transfer is None or record["transfer"] == transfer:
                yield record

    def capture(self, name: str) -> Path | None:
        """Return the file of a capture point, by its name; None where nothing was kept of it."""
        places = (self.path / "captures" / f"{name}{suffix}" for suffix in (".pcapng", ".pcapng.gz"))
        return next((path for path in places if path.exists()), None)

    def compress_records(self) -> None:
        """Compress what grows with the packets of a run.

        Raises:
            OSError: The folder cannot be written.
        """
        for name in ("truth.jsonl", "measurements.jsonl"):
            path = self.path / name
            if path.exists():
                compress(path)

    def verdicts(self) -> list[VerdictRecord]:
        """Return what detectors said, one verdict on one transfer each."""
        return cast("list[VerdictRecord]", list(self._lines("verdicts.jsonl")))

    def keep_verdicts(self, verdicts: Iterable[VerdictRecord]) -> None:
        """Keep verdicts, in place of earlier ones of the same detectors.

        Raises:
            RecordError: The folder cannot be written.
        """
        verdicts = list(verdicts)
        detectors = {each["detector"] for each in verdicts}
        kept = [each for each in self.verdicts() if each["detector"] not in detectors] + verdicts
        try:
            write_atomically(self.path / "verdicts.jsonl", "".join(json.dumps(each) + "\n" for each in kept))
        except OSError as error:
            raise RecordError(f"verdicts cannot be kept in {self.path}: {error.strerror}") from error

    def _lines(self, name: str, *, having: bytes = b"") -> Iterator[dict[str, object]]:
        path = self.path / name
        if not path.exists():
            path = self.path / f"{name}.gz"
        if not path.exists():  # while a run is under way, and after one that died, it is where the guest wrote it
            path = self.path / SPOOL / name
        if not path.exists():
            return iter(())
        complete = self.manifest().get("state") in {"checking", "complete"}
        return read_lines(path, complete=complete, having=having)

    @property
    def plan(self) -> PlanDocument:
        """The plan that the guest ran.

        Raises:
            RecordError: It cannot be read, or is no JSON object.
        """
        return cast("PlanDocument", self._object("plan.json"))

    def _object(self, name: str) -> dict[str, object]:
        path = self.path / name
        try:
            found: object = json.loads(read_regular(path))
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (remedy := _name_of_runs(self.path)):
                raise RecordError(f"{self.path} is no run directory, but a folder of runs; {remedy}") from error
            raise RecordError(f"{self.path} is no run directory: {name}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{path}: not JSON: {error}") from error
        if not isinstance(found, dict):
            raise RecordError(f"{path}: expected a JSON object, got {type(found).__name__}")
        return found


def _name_of_runs(folder: Path) -> str | None:
    """Return how to name the runs in a folder; None: it has none."""
    if not any(folder.glob(f"*/{_MANIFEST}")):
        return None
    table = f", or use {folder / SWEEP_TABLE}, which has them all" if (folder / SWEEP_TABLE).is_file() else ""
    return f"name the runs in it: {folder}/*/{table}"


def process_start(pid: int) -> int | None:
    """Return when a process began, in the kernel's ticks since boot, or None where there is none.

    With it, a process can be told from a later one of the same id: ids are used again.
    """
    try:
        # The name, in parentheses, may hold anything; the start is the 22nd field (proc(5)).
        return int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
