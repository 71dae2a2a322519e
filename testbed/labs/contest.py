"""A student's detector on recordings that the student has not seen."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from testbed.detectors.detect import judge
from testbed.detectors.sources.observation_json import observation_from_json
from testbed.errors import InputError
from testbed.labs.lot import hidden_picks
from testbed.labs.recording import OBSERVATION
from testbed.quantities import shown

if TYPE_CHECKING:
    from testbed.labs.grading import Worth
    from testbed.labs.lab import LabFile, Question
    from testbed.labs.recording import Recordings

__all__ = ["contest"]

_TIMEOUT_S: Final = 20.0
_MOST_BYTES: Final = 1 << 20
_GUESSING: Final = 0.5


def contest(
    lab: LabFile,
    seed: int,
    folder: Path,
    name: str,
    *,
    question: Question,
    recordings: Recordings,
    timeout_s: float = _TIMEOUT_S,
) -> Worth:
    """Return which share of its points a detector earns, and what is said of it.

    It is run here, as whoever grades: in a container, if it is a stranger's.

    Args:
        lab: The lab.
        seed: Of the student.
        folder: Of the student.
        name: The file of the detector, in the folder: a Python program that reads an observation and writes a verdict.
        question: What it is to reach.
        recordings: Where those come from that the student has not got.
        timeout_s: What it may take for one observation.

    Raises:
        InputError: The file is not in the folder. `TestbedError`: A recording cannot be had.
    """
    # A name that is wrong is told before recordings are made for minutes.
    program = _program(folder, name)
    asked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    broke = ""
    for pick in hidden_picks(lab, seed):
        wanted = lab.lab.conditions[pick.condition].label or ""
        for member, data in recordings.get(lab, pick).items():
            if member.endswith(OBSERVATION):
                verdict, failed = judge(program, observation_from_json(data, where=member), timeout_s=timeout_s)
                asked[wanted] += 1
                # Of no condition: which kinds of trouble it fails on is for the student to find.
                right[wanted] += not failed and verdict.outcome.value == wanted
                broke = broke or (verdict.why if failed else "")
    shares = {each: right[each] / asked[each] for each in sorted(asked)}
    told = ", ".join(
        f"{right[each]} of {asked[each]} lines right that are {each}" for each in sorted(asked, reverse=True)
    )
    if broke:
        told += f"; it broke: {broke[-200:]}"
    # Of both labels: a detector that always says the same is right about one of them, and knows nothing.
    reached = min(shares.values())
    return min(1.0, max(0.0, (reached - _GUESSING) / (question.enough - _GUESSING))), told


def _program(folder: Path, name: str) -> str:
    # A sheet that was filled in on Windows may be graded on Linux.
    parts = PurePosixPath(name.replace("\\", "/")).parts
    path = folder.joinpath(*parts)
    if not parts or ".." in parts or Path(name).is_absolute() or ":" in name:
        raise InputError(f"detector: {shown(name)} leads out of {folder}; put the file there, and give its name alone")
    if path.is_symlink() or not path.is_file():
        raise InputError(f"detector: there is no file {shown(name)} in {folder}")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"detector: {shown(name)} has more than {_MOST_BYTES} bytes")
    # By this Python, so that it starts on every platform; -I keeps the folder's other files from being imported.
    return f"exec:{shlex.quote(sys.executable)} -I {shlex.quote(str(path.resolve()))}"
