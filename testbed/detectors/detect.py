"""Run detectors by name over runs, captures and measurements. What is done with their verdicts is in `outputs`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.detectors.foreign import foreign
from testbed.detectors.outputs.rows import DetectionRow
from testbed.detectors.program import TIMEOUT_S
from testbed.detectors.registry import PROGRAM_PREFIX, detector_names, is_packaged, load_detector
from testbed.detectors.sources.marks import Marks
from testbed.detectors.sources.observe import observe
from testbed.detectors.sources.run import split_by_subject
from testbed.detectors.verdict import Verdict, inconclusive
from testbed.errors import InputError, MissingError, TestbedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testbed.detectors.detector import Detector
    from testbed.detectors.observation import Observation

__all__ = ["detect", "judge"]


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
    # A name that is wrong is told before captures of gigabytes are read for it.
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
    # Loaded once for all subjects: a detector of another package may take long to load, and may keep a model.
    loaded = [_load(name, timeout_s) for name in names]
    for number, observation in enumerate(observations):
        subjects = split_by_subject(observation) if number < len(runs) else [("all", observation)]
        for subject, part in subjects:
            for name, detector in loaded:
                verdict, failed = _verdict(name, detector, part)
                rows.append(DetectionRow(observation.source, subject, verdict, observation.notes, failed))
    return rows


def judge(name: str, observation: Observation, *, timeout_s: float = TIMEOUT_S) -> tuple[Verdict, bool]:
    """Return what a detector says of one observation, and whether that is its failure and no verdict.

    Args:
        name: Of the detector, or ``exec:PROGRAM``.
        observation: All of it is judged at once.
        timeout_s: Seconds that a program may take.

    Raises:
        InputError: There is no detector of that name. `MissingError`: A program cannot be started.
    """
    loaded_name, detector = _load(name, timeout_s)
    return _verdict(loaded_name, detector, observation)


def _load(name: str, timeout_s: float) -> tuple[str, Detector | InputError]:
    """Return a detector; that of another package which cannot be loaded as its error."""
    try:
        return name, load_detector(name, timeout_s=timeout_s)
    except InputError as error:
        if _is_ours(name):
            raise
        return name, error


def _is_ours(name: str) -> bool:
    """Return whether a detector is no code of another package: a program is asked by code of ours."""
    return is_packaged(name) or name.startswith(PROGRAM_PREFIX)


def _verdict(name: str, detector: Detector | InputError, observation: Observation) -> tuple[Verdict, bool]:
    """Return a verdict, and whether it is none but the detector's failure.

    Raises:
        MissingError: What the detector needs is not on this machine: every other subject would fail alike.
    """
    try:
        return _checked(name, detector, observation), False
    except MissingError:
        raise
    # One detector of another package must not cost the verdicts of twenty others.
    except Exception as error:  # noqa: BLE001 - of whatever kind: other people's code
        said = str(error) if isinstance(error, TestbedError) else f"{type(error).__name__}: {error}"
        return inconclusive(name, f"the detector failed: {said}"), True


def _checked(name: str, detector: Detector | InputError, observation: Observation) -> Verdict:
    """Return a detector's verdict, if it is one and bears no name of a detector that it is not."""
    if isinstance(detector, InputError):
        raise detector
    with nullcontext() if _is_ours(name) else foreign():
        verdict: object = detector.detect(observation)
    if not isinstance(verdict, Verdict):
        raise InputError(f"it returned {type(verdict).__name__}, not a verdict")
    if verdict.detector != name and is_packaged(verdict.detector):
        raise InputError(f"it calls itself {verdict.detector!r}, a detector of the testbed's")
    return verdict
