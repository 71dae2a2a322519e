"""Recordings made here: a run of each variant in a guest, of which what a measurer had is kept in the cache."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from testbed.engine.engine import ENGINES
from testbed.errors import InvalidRunError, RecordError
from testbed.labs.lot import truth_of
from testbed.labs.recording import OBSERVATION
from testbed.records.capture_file import read_frames
from testbed.records.files import open_regular
from testbed.records.label import label
from testbed.records.pcapng import write_pcapng
from testbed.scenario import library
from testbed.validation.cells import ENGINE, Cell, plan_cell
from testbed.validation.corpus.part import cut_to_headers
from testbed.validation.defaults import default_store
from testbed.validation.keeping.aside import work_folder
from testbed.validation.keeping.folders import find_folder, keep_folder
from testbed.validation.keeping.store import Store
from testbed.validation.running.work import run_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from testbed.labs.lab import LabFile
    from testbed.labs.lot import Pick
    from testbed.labs.recording import Recording
    from testbed.records.manifest import TransferSummary

__all__ = ["Made", "scenario_of"]

_VERSION = "2"  # of what is kept of a run
_CLIENT = "-client"


def scenario_of(lab: LabFile, condition: str) -> Path:
    """Return the scenario of a condition: a file beside the lab, or a packaged one.

    Raises:
        ScenarioError: There is none.
    """
    named = lab.lab.conditions[condition].scenario or lab.lab.scenario
    # A file beside the lab goes first, so that a packaged scenario of the same name never takes its place.
    own = lab.folder / named
    return own if own.is_file() else library.find("scenarios", named)


class Made:
    """Recordings as runs of this machine give them.

    Args:
        say: Told what takes its time.
        store: Where they are kept; None: the user's cache.

    Raises:
        MissingError: No guest can run here; says what is missing.
    """

    def __init__(self, say: Callable[[str], None], store: Path | None = None) -> None:
        self._say = say
        self._kernel = ENGINES[ENGINE].prepare(say)
        self._store = Store((store or default_store()).resolve(), say)

    def get(self, lab: LabFile, pick: Pick) -> Recording:
        """Return a recording, made now if it is not there.

        Raises:
            InvalidRunError: The run must not be used. `RecordError`: Its ground truth is not what the lab says.
        """
        truth = truth_of(lab, pick)
        scenario = str(scenario_of(lab, pick.condition))
        # As a cell of a suite is run, so that a recording has what detectors are scored on, and no more.
        cell = Cell("development", pick.condition, pick.variant, scenario, truth.settings, truth.seed)
        made_of, plan = plan_cell(cell, self._kernel)
        key = hashlib.sha256(f"lab {_VERSION} {made_of}".encode()).hexdigest()[:32]
        # Kept by all that its bytes depend on: a whole class begins the same lab on one machine.
        place = find_folder(self._store, "parts", key)
        if place is None:
            with work_folder(self._store.path / "work") as work:
                record, observations = run_cell(cell, plan, self._kernel, work / "run")
                # Before anything is kept: a wrong recording would be found again next time.
                _require(lab, pick, record["problems"], record["transfers"])
                kept = work / "kept"
                kept.mkdir()
                for line, text in observations.items():
                    (kept / f"{line}{OBSERVATION}").write_text(text)
                _keep_captures(work / "run" / "captures", kept)
                place = keep_folder(self._store, "parts", key, kept)
        return {path.name: path.read_bytes() for path in sorted(place.iterdir())}


def _require(lab: LabFile, pick: Pick, problems: list[str], transfers: Iterable[TransferSummary]) -> None:
    where = f"{lab.name}: {pick.condition}, variant {pick.variant}"
    if problems:
        raise InvalidRunError(f"{where}: do not use this run: {'; '.join(problems)}")
    wanted = lab.lab.conditions[pick.condition].label
    found = {label(each) for each in transfers if each["role"] == "target"}
    # A line is throttled if one of its targets is; of a lab about names, some are and some are not.
    if wanted is not None and (("throttled" in found) != (wanted == "throttled")):
        raise RecordError(f"{where}: the lab says {wanted}, its run says {', '.join(sorted(found))}; mend the lab")


def _keep_captures(captures: Path, kept: Path) -> None:
    """Keep headers of captures at clients, without any comment; captures at boxes are ground truth."""
    for path in sorted(captures.glob("*.pcapng*")):
        name = path.name.partition(".pcapng")[0]
        if name.endswith(_CLIENT):
            with open_regular(path) as file:
                frames = cut_to_headers(read_frames(file))
                write_pcapng(kept / f"{name}.pcapng", frames, interface=name, secrets=b"", comments={})
