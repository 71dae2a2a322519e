"""A student's folder: what is to be done, what was measured, and an answer sheet. No truth is in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from testbed.errors import InputError
from testbed.labs.lot import student_picks, truth_of
from testbed.labs.picture import draw_case, table_of
from testbed.labs.recording import OBSERVATION, digest_of
from testbed.labs.sheet import blank_sheet, read_small
from testbed.quantities import shown
from testbed.records.shape import shaped

if TYPE_CHECKING:
    from testbed.labs.lab import LabFile
    from testbed.labs.lot import Pick
    from testbed.labs.recording import Recording, Recordings

__all__ = ["DESK", "Desk", "begin", "changed_files", "read_desk", "require_same_lab"]

DESK: Final = "lab.json"
_PRACTICE: Final = "practice.json"
_FORMAT: Final = 1
_MOST_DESK_BYTES: Final = 1 << 20


class _Written(TypedDict):
    """The file `DESK`. ``seed`` is null where a teacher's key is needed to know it; ``files`` are digests."""

    format: int
    lab: str
    student: str
    seed: int | None
    version: str
    digest: str
    files: dict[str, str]
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a folder says of itself.

    Attributes:
        lab: The name.
        student: As given at the start; may be empty.
        seed: From which the conditions are drawn; None: it comes of the student's name and a key that is not here.
        version: Of the testbed that began it.
        digest: Of the lab's file.
        files: Digests of what was put there to be looked at.
    """

    lab: str
    student: str
    seed: int | None
    version: str
    digest: str
    files: dict[str, str]

    @property
    def mark(self) -> str:
        """A digest of all this. It tells a slip from a folder as it was begun; who reads this code can make one."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def begin(
    lab: LabFile, folder: Path, *, seed: int, student: str, is_keyed: bool, recordings: Recordings | None, version: str
) -> None:
    """Write a student's folder.

    Args:
        lab: What is to be done.
        folder: A new or empty one.
        seed: From which the conditions are drawn.
        student: A name, or nothing.
        is_keyed: Whether the seed is to be kept out of the folder.
        recordings: Where recordings come from; None: of a lab that has none, since students measure by themselves.
        version: Of this testbed.

    Raises:
        InputError: There is something in the folder. `TestbedError`: A recording cannot be had.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: there is something already; name a new folder with -o")
    files: Recording = {"task.md": _task(lab).encode()} | lab.given()
    picks = student_picks(lab, seed)
    # All are there before the folder is made: half a folder would look like a whole one.
    if recordings is not None:
        for pick in picks:
            files |= _case_files(pick, recordings.get(lab, pick))
    if lab.lab.practice:
        labels = {pick.case: lab.lab.conditions[pick.condition].label for pick in picks}
        files[_PRACTICE] = (json.dumps(labels, indent=1) + "\n").encode()
    # What is looked at stays as it is; the answer sheet is there to be changed.
    digests = {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items() if "/" in name or name == _PRACTICE
    }
    desk = Desk(
        lab=lab.name, student=student, seed=None if is_keyed else seed, version=version, digest=digest_of(lab),
        files=digests,
    )  # fmt: skip
    written: _Written = {
        "format": _FORMAT, "lab": desk.lab, "student": desk.student, "seed": desk.seed, "version": desk.version,
        "digest": desk.digest, "files": desk.files, "mark": desk.mark,
    }  # fmt: skip
    files["answers.yaml"] = blank_sheet(lab, student).encode()
    files[DESK] = (json.dumps(written, indent=1) + "\n").encode()
    try:
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another folder with -o") from error


def _task(lab: LabFile) -> str:
    """Return the student's sheet, with what the lab needs and was tested on: whoever it fails for can tell why."""
    needs = (
        "a guest (x86-64 Linux), or a pack of recordings" if lab.lab.needs == "recordings" else "a guest (x86-64 Linux)"
    )
    return f"{lab.sheet('student.md')}\n---\n\nNeeds {needs}. Tested on: {'; '.join(lab.lab.tested_on)}.\n"


def _case_files(pick: Pick, recording: Recording) -> Recording:
    files = {f"{pick.case}/{name}": data for name, data in recording.items()}
    for name, data in recording.items():
        if name.endswith(OBSERVATION):
            line = name.removesuffix(OBSERVATION)
            files[f"{pick.case}/{line}.csv"] = table_of(data).encode()
            files[f"{pick.case}/{line}.svg"] = draw_case(data, f"case {pick.case}")
    return files


def read_desk(folder: Path) -> Desk:
    """Read what a folder says of itself.

    Raises:
        InputError: It is no folder of a lab, or somebody changed what it says.
    """
    path = folder / DESK
    if not path.is_file():
        raise InputError(f"{folder}: there is no {DESK}; name a folder that `testbed lab start` made")
    text = read_small(path, _MOST_DESK_BYTES)
    # A student may have written it: whatever is in it is looked at before it is believed.
    try:
        found = shaped(json.loads(text), _Written)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged: {str(error)[:200]}; begin the lab again") from error
    if found["format"] != _FORMAT:
        raise InputError(f"{path}: of the format {found['format']}, and this testbed reads {_FORMAT}")
    desk = Desk(
        lab=found["lab"], student=found["student"], seed=found["seed"], version=found["version"],
        digest=found["digest"], files=found["files"],
    )  # fmt: skip
    if desk.mark != found["mark"]:
        raise InputError(f"{path}: it was changed since the lab was begun; begin the lab again")
    return desk


def require_same_lab(desk: Desk, lab: LabFile, folder: Path) -> None:
    """Refuse a folder of another lab, or of another version of this one.

    Raises:
        InputError: It is one.
    """
    if desk.lab != lab.name:
        raise InputError(f"{folder}: this is a folder of the lab {shown(desk.lab)}, not of {lab.name}")
    if desk.digest != digest_of(lab):
        raise InputError(
            f"{folder}: it was begun with another version of {lab.name} (testbed {shown(desk.version)}); "
            "check it with that one, or begin again"
        )


def changed_files(desk: Desk, folder: Path) -> list[str]:
    """Return what lies in the folder otherwise than it was put there, by name. No grade depends on it."""
    return [name for name, digest in sorted(desk.files.items()) if not _is_as_written(folder, name, digest)]


def _is_as_written(folder: Path, name: str, digest: str) -> bool:
    path = folder / name
    # Names come from the folder, and must not make whoever grades read files elsewhere.
    if ".." in Path(name).parts or Path(name).is_absolute() or not path.is_file():
        return False
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            whole.update(piece)
    return whole.hexdigest() == digest


def hidden_settings(lab: LabFile, seed: int, case: str) -> tuple[Pick, tuple[str, ...], int]:
    """Return the condition of a student's case, the settings of its scenario, and the seed of its runs.

    Raises:
        InputError: There is no such case.
    """
    picks = {each.case: each for each in student_picks(lab, seed)}
    if case not in picks:
        raise InputError(f"--case {shown(case)}: there is no such case; there are: {', '.join(picks)}")
    truth = truth_of(lab, picks[case])
    return picks[case], truth.settings, truth.seed
