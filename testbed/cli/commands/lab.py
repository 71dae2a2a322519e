"""Labs for a class: ``lab list``, ``start``, ``try``, ``check`` and ``pack``."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import secrets
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.progress import note, say, show
from testbed.engine.host_machine import guest_problem
from testbed.errors import InputError, MissingError
from testbed.labs.catalogue import find_lab, lab_names
from testbed.labs.contest import contest
from testbed.labs.desk import begin, changed_files, read_desk, require_same_lab
from testbed.labs.grading import grade
from testbed.labs.lot import all_picks, seed_of
from testbed.labs.recording import Pack, write_pack
from testbed.labs.results import as_gradescope, as_json, as_junit, as_table, total
from testbed.labs.sheet import read_sheet, read_small
from testbed.labs.tried import read_tries
from testbed.quantities import shown
from testbed.report.table import format_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from testbed.labs.desk import Desk
    from testbed.labs.grading import Graded, Worth
    from testbed.labs.lab import LabFile, Question
    from testbed.labs.recording import Recordings

__all__ = ["check_command", "list_command", "pack_command", "start_command", "try_command"]

_MOST_KEY_BYTES = 4096
_SEEDS = 1 << 31


def list_command(arguments: argparse.Namespace) -> int:
    """List the labs."""
    labs = [find_lab(name) for name in lab_names()]
    if arguments.json:
        show(json.dumps([
            {"name": each.name, "title": each.lab.title, "minutes": each.lab.minutes, "needs": each.lab.needs,
             "points": each.points, "tested_on": list(each.lab.tested_on)} for each in labs
        ]))  # fmt: skip
    else:
        needs = {"recordings": "a guest, or --from labs.zip", "guest": "a guest"}
        rows = [(each.name, each.lab.title, f"{each.lab.minutes} min", needs[each.lab.needs]) for each in labs]
        show(format_table(("lab", "", "takes", "needs"), rows))
    return 0


def start_command(arguments: argparse.Namespace) -> int:
    """Make a student's folder."""
    lab = find_lab(arguments.lab)
    seed, is_keyed = _drawn_seed(arguments, lab)
    # Short, and the same as what the sheets say.
    folder = arguments.output or Path(f"lab-{lab.name.rpartition('/')[2].split('-')[0]}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: there is something already; name a new folder with -o")
    with _recordings(lab, arguments.pack) as recordings:
        # A lab in which students measure by themselves has nothing to be recorded beforehand.
        begin(
            lab, folder, seed=seed, student=arguments.student, is_keyed=is_keyed,
            recordings=recordings if lab.lab.needs == "recordings" else None, version=_version(),
        )  # fmt: skip
    show(f"{lab.name}: {lab.lab.title} ({lab.lab.minutes} minutes, {lab.points} points)")
    then = f"testbed lab check {arguments.lab} {folder}"
    show(f"read {folder / 'task.md'}, fill in {folder / 'answers.yaml'}, then: {then}")
    return 0


def try_command(arguments: argparse.Namespace) -> int:
    """Run something against a hidden condition, and keep what the client saw."""
    # The folder says which lab it is of, for students are in its midst and need not name it.
    desk = read_desk(arguments.folder)
    # What it says is never taken for a path: a lab's scenario may name a topology, which is a program.
    if arguments.lab is None and desk.lab not in lab_names():
        raise InputError(f"{arguments.folder}: {shown(desk.lab)} is no packaged lab; name its folder with --lab FOLDER")
    lab = find_lab(arguments.lab or desk.lab)
    require_same_lab(desk, lab, arguments.folder)
    seed = _seed_again(desk, lab, arguments.key)
    _require_guest(lab)
    attempts = import_module("testbed.labs.attempts")
    if arguments.evade is not None:
        found = attempts.attempt_evasion(lab, seed, arguments.case, arguments.evade, say, sni=arguments.sni)
    else:
        found = attempts.attempt_probe(
            lab,
            seed,
            arguments.case,
            arguments.probe,
            say,
            sni=arguments.sni,
            names=arguments.names,
            options=arguments.options,
        )
    show(attempts.attempt_table(found))
    say(f"kept in {attempts.keep_attempt(arguments.folder, found)}")
    return 0


def check_command(arguments: argparse.Namespace) -> int:
    """Grade a student's folder; return 1 unless it earned all points."""
    lab, folder = find_lab(arguments.lab), arguments.folder
    desk = read_desk(folder)
    require_same_lab(desk, lab, folder)
    # Asked before anything is graded: a grade for somebody else is worse than none.
    if arguments.student is not None and desk.student != arguments.student:
        raise InputError(f"{folder}: it was made for {shown(desk.student)}, not for {shown(arguments.student)}")
    seed = _seed_again(desk, lab, arguments.key)
    sheet = read_sheet(folder, lab, desk.student)
    with contextlib.ExitStack() as opened:

        def asked(name: str, question: Question) -> Worth:
            # Only now, for a grade of answers alone needs neither a guest nor a pack.
            return contest(
                lab, seed, folder, name,
                question=question, recordings=opened.enter_context(_recordings(lab, arguments.pack)),
            )  # fmt: skip

        graded = grade(lab, seed, sheet, tried=read_tries(folder, lab.name), contest=asked, only=arguments.question)
    notes = [f"{each} is not as it was given; the grade does not depend on it" for each in changed_files(desk, folder)]
    _tell(arguments, desk, graded, notes)
    points, most = total(graded)
    return 0 if points == most else 1


def _tell(arguments: argparse.Namespace, desk: Desk, graded: Sequence[Graded], notes: Sequence[str]) -> None:
    if arguments.junit is not None:
        _write(arguments.junit, as_junit(desk.lab, graded))
    if arguments.gradescope is not None:
        _write(arguments.gradescope, as_gradescope(desk.lab, graded, notes))
    for each in notes:
        note(each)
    show(as_json(desk.lab, desk.student, graded, notes) if arguments.json else as_table(graded))


def pack_command(arguments: argparse.Namespace) -> int:
    """Make recordings, and put them into one file."""
    labs = [find_lab(name) for name in arguments.labs or lab_names()]
    if not arguments.labs:
        labs = [each for each in labs if each.lab.needs == "recordings"]
    for each in labs:
        if each.lab.needs != "recordings":
            raise InputError(f"{each.name}: it has no recordings, for students measure in a guest; leave it out")
    if not arguments.output.parent.is_dir():
        raise InputError(f"-o {arguments.output}: there is no folder {arguments.output.parent}")
    _require_guest(labs[0])
    made: Recordings = import_module("testbed.labs.making").Made(say)
    # The page too, so that one file is all that a machine without a guest needs.
    demo = import_module("testbed.demo.packed").recorded_site(say)
    count = write_pack(
        arguments.output, labs, picks=all_picks, recordings=made, version=_version(), demo=demo, progress=say
    )
    say(f"testbed: {count} recordings, {arguments.output.stat().st_size / 1e6:.2f} MB in {arguments.output}")
    return 0


@contextlib.contextmanager
def _recordings(lab: LabFile, pack: Path | None) -> Iterator[Recordings]:
    """Give what recordings come from: a pack, or runs made here.

    Raises:
        MissingError: There is no pack, and no guest can run here.
    """
    if pack is not None:
        opened = Pack(pack)
        with contextlib.closing(opened):
            yield opened
        return
    _require_guest(lab)
    # What emulates is loaded where something is emulated, alone.
    made: Recordings = import_module("testbed.labs.making").Made(say)
    yield made


def _require_guest(lab: LabFile) -> None:
    problem = guest_problem()
    if problem is not None:
        more = (
            "give recordings of another machine with --from labs.zip (there: testbed lab pack -o labs.zip)"
            if lab.lab.needs == "recordings"
            else f"{lab.name} cannot be done without one; see docs/labs/ for the labs that can"
        )
        raise MissingError(f"{problem}; {more}")


def _drawn_seed(arguments: argparse.Namespace, lab: LabFile) -> tuple[int, bool]:
    """Return the seed of a new folder, and whether it must not stand in it."""
    if arguments.key is not None:
        if not arguments.student or arguments.seed is not None:
            raise InputError(
                "--key: the conditions are drawn from it and from --student NAME; give both, and no --seed"
            )
        return seed_of(lab.name, arguments.student, _key(arguments.key)), True
    if arguments.seed is not None:
        return arguments.seed, False
    if arguments.student:
        return seed_of(lab.name, arguments.student, ""), False
    return 1 + secrets.randbelow(_SEEDS), False


def _seed_again(desk: Desk, lab: LabFile, key: Path | None) -> int:
    if desk.seed is not None:
        return desk.seed
    if key is None:
        raise InputError(
            "this folder was begun with a teacher's key, and without it nothing can be told; give --key FILE"
        )
    return seed_of(lab.name, desk.student, _key(key))


def _key(path: Path) -> str:
    text = read_small(path, _MOST_KEY_BYTES).decode("utf-8", "replace").strip()
    if not text:
        raise InputError(f"--key {path}: it is empty; write any secret word into it")
    return text


def _version() -> str:
    return importlib.metadata.version("throttling-testbed")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another file") from error
    say(f"testbed: written to {path}")
