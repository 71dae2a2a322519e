"""Asking detectors about cells. What was said of an observation is kept, until the detector changes."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import detectors as detectors_package
from testbed.detectors.detect import judge
from testbed.detectors.registry import ENTRY_POINTS, PROGRAM_PREFIX, is_packaged
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.validation.checkers.checker import is_checker
from testbed.validation.checkers.trial import can_be_tried, checker_key, checker_verdict
from testbed.validation.keeping.store import FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testbed.validation.keeping.store import CellRecord, Store, VerdictRecord

__all__ = ["Judgement", "detector_digest", "judgements"]

_ROOT = Path(detectors_package.__file__ or "").parent


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
                    said = checker_verdict(store, key, record, line, name)
                    yield Judgement(line, checker_key(key, line, name), name, said)
                continue
            detector = detector_digest(name)
            verdict = store.verdict(digest, detector)
            if verdict is None:
                observation = observation or observation_from_json(store.observation(key, digest), where=key)
                verdict = _asked(name, observation)
                store.keep_verdict(digest, detector, verdict)
            yield Judgement(line, digest, name, verdict)


def _asked(name: str, observation: object) -> VerdictRecord:
    verdict, failed = judge(name, observation)  # type: ignore[arg-type]  # an observation, from a local name
    record: VerdictRecord = {
        "format": FORMAT, "detector": name, "outcome": str(verdict.outcome), "why": verdict.why,
    }  # fmt: skip
    if failed:
        record["failed"] = verdict.why
    return record


@cache
def detector_digest(name: str) -> str:
    """Return what a detector's verdicts depend on: its own file and what detectors share, or the program's file."""
    parts = [name, sys.version]
    if name.startswith(PROGRAM_PREFIX):
        program = Path(name.removeprefix(PROGRAM_PREFIX))
        parts.append(hashlib.sha256(program.read_bytes()).hexdigest() if program.is_file() else "")
    elif is_packaged(name):
        own = _ROOT / "methods" / f"{name.replace('-', '_')}.py"
        shared = [*_ROOT.glob("*.py"), *_ROOT.glob("tools/*.py"), *_ROOT.parent.glob("capture/*.py")]
        parts += [hashlib.sha256(path.read_bytes()).hexdigest() for path in (own, *sorted(shared))]
    else:
        (point,) = tuple(entry_points(group=ENTRY_POINTS, name=name))[:1]
        parts += [point.value, point.dist.version if point.dist is not None else ""]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
