"""Asking detectors about cells. What was said of an observation is kept, until the detector changes."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import testbed
from testbed.detectors.detect import judge
from testbed.detectors.registry import ENTRY_POINTS, PROGRAM_PREFIX, detector_names, is_packaged
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.errors import InputError
from testbed.plain_text import choices
from testbed.validation.checkers.checker import Checker, is_checker
from testbed.validation.checkers.trial import can_be_tried, checker_key, checker_verdict
from testbed.validation.keeping.store import FORMAT, verdict_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testbed.validation.keeping.store import CellRecord, Store, VerdictRecord

__all__ = ["Judgement", "detector_digest", "judgements", "kept_under", "known_digest"]

_ROOT = Path(testbed.__file__).parent


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one detector said of one line of a cell."""

    line: str
    observation: str
    detector: str
    verdict: VerdictRecord


def judgements(store: Store, key: str, record: CellRecord, names: Iterable[str]) -> Iterator[Judgement]:
    """Yield the verdicts on a cell, asked for where they are not there yet.

    Raises:
        RecordError: An observation cannot be read now.
        MissingError: A program that is to judge is not there.
    """
    for line, digest in record["observations"].items():
        observation = None
        for name in names:
            if is_checker(name):
                if can_be_tried(record):
                    yield Judgement(line, digest, name, checker_verdict(store, key, record, line, name))
                continue
            detector = known_digest(name)
            verdict = store.verdict(digest, detector)
            if verdict is None:
                observation = observation or observation_from_json(store.observation(key, digest), where=key)
                verdict = _asked(name, observation)
                store.keep_verdict(digest, detector, verdict)
            yield Judgement(line, digest, name, verdict)


def _asked(name: str, observation: object) -> VerdictRecord:
    verdict, failed = judge(name, observation)  # type: ignore[arg-type]  # an observation, from a local name
    return verdict_record(name, verdict, failed=failed)


def kept_under(key: str, line: str, observation: str, name: str) -> tuple[str, str]:
    """Return what of, and by whom, a verdict is kept, as `Store.verdict` wants it.

    Args:
        key: Of the cell.
        line: Of it.
        observation: The digest of what was observed on the line.
        name: Of the detector.
    """
    return (checker_key(key, line, name), name) if is_checker(name) else (observation, known_digest(name))


def known_digest(name: str) -> str:
    """Return the digest of a detector of this version, or of a program. Raises InputError: there is none."""
    digest = detector_digest(name)
    if digest is None:
        raise InputError(f"no detector {name!r}; {choices(name, detector_names())}, exec:PROGRAM, run:PROGRAM")
    return digest


def detector_digest(name: str, root: Path = _ROOT) -> str | None:
    """Return what a detector's verdicts depend on: its own file and what detectors share, or the program's file.

    Args:
        name: Of the detector, or ``exec:PROGRAM``.
        root: The package ``testbed`` that has it, of this or another version; None comes back if it has it not.
    """
    if is_packaged(name):
        return _packaged_digest(name, root)
    if is_checker(name):
        return _digest(name, Checker.of(name).digest())
    if name.startswith(PROGRAM_PREFIX):
        return _digest(name, *_files_of(name.removeprefix(PROGRAM_PREFIX)))
    point = next(iter(entry_points(group=ENTRY_POINTS, name=name)), None)
    return None if point is None else _digest(name, point.value, point.dist.version if point.dist is not None else "")


def _files_of(command: str) -> list[str]:
    """Return digests of the program of a command, and of every file that the command names.

    Raises:
        InputError: It is no command, or its program is not there.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"exec:{command}: {error}") from error
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise InputError(f"exec:{command}: there is no such program, or it may not be executed")
    # An interpreter's script is an argument: whatever is a file may hold the method.
    files = [Path(program), *(Path(word) for word in words[1:])]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()]


@cache
def _packaged_digest(name: str, root: Path) -> str | None:
    own = root / "detectors" / "methods" / f"{name.replace('-', '_')}.py"
    if not own.is_file():
        return None
    rooms = ("detectors/*.py", "detectors/sources/cut.py", "detectors/tools/*.py", "capture/*.py")
    shared = sorted(path for room in rooms for path in root.glob(room))
    return _digest(name, *(hashlib.sha256(path.read_bytes()).hexdigest() for path in (own, *shared)))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join((str(FORMAT), sys.version, *parts)).encode()).hexdigest()
