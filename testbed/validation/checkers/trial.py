"""A checker tried on a line of a cell: a run of its own, in which the program takes the place of the measurements.

The line's label is that of the cell: what was done there to transfers of the size that its scenario asks for. What
was done to the checker's own flows is kept beside its verdict, for a checker that fetches too little to be slowed, or
whose hello a box does not find, misses what a user of the line would have noticed.
"""

from __future__ import annotations

import hashlib
import shlex
import time
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from testbed.detectors.verdict import inconclusive
from testbed.engine.engine import ENGINES
from testbed.engine.prepare.command import UserCommand
from testbed.engine.run import run_plan
from testbed.errors import InputError, InvalidRunError, RecordError
from testbed.records.files import read_regular
from testbed.scenario import library
from testbed.scenario.model import load_scenario
from testbed.scenario.plan import make_plan
from testbed.validation.cells import ENGINE
from testbed.validation.checkers.answer import answer_of
from testbed.validation.checkers.checker import Checker, Subject, is_checker
from testbed.validation.keeping.aside import work_folder
from testbed.validation.keeping.store import verdict_record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from testbed.detectors.verdict import Verdict
    from testbed.engine.kernel import KernelInfo
    from testbed.records.manifest import Manifest, TransferSummary
    from testbed.records.messages import Message
    from testbed.scenario.plan import Plan
    from testbed.validation.keeping.store import CellRecord, Store, VerdictRecord

__all__ = ["can_be_tried", "checker_key", "checker_verdict", "command_again", "is_judged_by"]

_READ: Final = "1"  # changed when an answer is read otherwise: checkers are then tried again
_TAIL_BYTES: Final = 2000
_LONGEST_WHY: Final = 1000


def checker_key(cell: str, line: str, name: str) -> str:
    """Return the key of a checker's run: of all that its bytes depend on.

    Args:
        cell: The key of the cell, which stands for scenario, seed, kernel and code.
        line: That it runs on.
        name: Of the checker; its program and the files that it names are in the key, too.
    """
    return hashlib.sha256(f"checker {_READ} {cell} {line} {_digest(name)}".encode()).hexdigest()[:32]


@cache
def _digest(name: str) -> str:
    return Checker.of(name).digest()


def is_judged_by(store: Store, key: str, record: CellRecord, names: Iterable[str]) -> bool:
    """Return whether the store has the verdicts of all checkers among the names on a cell."""
    return all(
        store.verdict(checker_key(key, line, name), name) is not None
        for name in names
        if is_checker(name) and can_be_tried(record)
        for line in record["observations"]
    )


def can_be_tried(record: CellRecord) -> bool:
    """Return whether a cell's conditions are there for a checker, too.

    Background traffic that goes on beside a scenario's own measurements does not go on beside a checker's; a twin is no
    scenario, but a run without its boxes; and what is done to uploads or to QUIC need not be done to what a program
    downloads over TCP, so that the line's label would say nothing of it.
    """
    if any(each["direction"] == "upload" or each.get("protocol") == "http/3" for each in record["transfers"]):
        return False
    return not record["twin"] and not _has_background_beside(record["scenario"], tuple(record["settings"]))


@cache
def _has_background_beside(scenario: str, settings: tuple[str, ...]) -> bool:
    # Which seed it is read with changes quantities, and not whether there is something.
    found, _ = load_scenario(library.find("scenarios", scenario), list(settings), seed=1)
    return any(each.beside is not None for each in found.background)


def checker_verdict(store: Store, key: str, record: CellRecord, line: str, name: str) -> VerdictRecord:
    """Return what a checker says of a line of a cell, tried now if it has not been yet.

    Raises:
        InputError: The checker cannot be used. `MissingError`: This machine lacks what a run needs.
    """
    own_key = checker_key(key, line, name)
    verdict = store.verdict(own_key, name)
    if verdict is None:
        verdict = _tried(store, own_key, record, line, Checker.of(name))
        store.keep_verdict(own_key, name, verdict)
    return verdict


def command_again(store: Store, key: str, line: str, name: str) -> str | None:
    """Return the command line that tries a checker on a line of a cell again; None: it was not run there."""
    record = store.cell(checker_key(key, line, name))
    return None if record is None else record["replay"]


def _tried(store: Store, key: str, record: CellRecord, line: str, checker: Checker) -> VerdictRecord:
    try:
        command = checker.command(_subject(record, line))
        trial = _Trial(record, line, checker, command, store)
        with work_folder(store.path / "work") as work:
            answer = trial.carried_out(key, work / "run")
    except RecordError:  # the store or the disk is at fault, not the checker
        raise
    except (InputError, InvalidRunError) as error:
        why = f"the checker failed: {error}"
        return verdict_record(checker.name, inconclusive(checker.name, why), failed=True)
    return verdict_record(checker.name, answer, failed=False)


def _plan(record: CellRecord, command: list[str] | None, line: str | None) -> Plan:
    path = library.find("scenarios", record["scenario"])
    return make_plan(path, record["settings"], seed=record["seed"], engine=ENGINE, command=command, line=line)


def _subject(record: CellRecord, line: str) -> Subject:
    """Return what is to be measured on a line: its first target and control, and the largest object."""
    own = [each for each in record["transfers"] if each["line"] == line and each["sni"]]
    names = {role: [str(each["sni"]) for each in own if each["role"] == role] for role in ("target", "control")}
    if not names["target"]:
        raise InputError("no transfer of this line is a target with a name")
    objects = {
        path: size
        for origin in _plan(record, None, None).data["origins"].values()
        for path, size in origin["objects"].items()
    }
    if not objects:
        raise InputError("the scenario's servers have no object that a program could fetch")
    path = max(objects, key=lambda each: objects[each])
    return Subject(names["target"][0], next(iter(names["control"]), None), path, objects[path])


@dataclass(frozen=True, slots=True)
class _Trial:
    """One run of a checker.

    Attributes:
        record: Of the cell.
        line: That it runs on.
        checker: With its limits.
        command: As it is run.
        store: It is not shown to the program: the truth lies in it.
    """

    record: CellRecord
    line: str
    checker: Checker
    command: list[str]
    store: Store

    def carried_out(self, key: str, folder: Path) -> Verdict:
        """Run the checker, keep what was true of its flows, and return its verdict, with that in words.

        Raises:
            InputError: It gave no answer within its limits. `InvalidRunError`: Its run must not be scored.
        """
        limits = _Limits(self.checker)
        command = UserCommand(self.command, folder=self.checker.folder, sealed=[self.store.path])
        plan = _plan(self.record, self.command, self.line)
        silence_s = self.checker.longest_wall_s
        try:
            manifest = run_plan(plan, _kernel(), folder, silence_s=silence_s, progress=limits.watch, command=command)
        except RecordError:
            raise
        except (InputError, InvalidRunError) as error:
            self._keep(key, None, [str(error)])
            raise
        self._keep(key, manifest, manifest["problems"])
        if not manifest["valid"]:
            raise InvalidRunError(f"its run must not be scored: {'; '.join(manifest['problems'])}")
        # In virtual time a program that sleeps for a day is back at once, and nothing tells of it before its end.
        limits.require_time(manifest["emulated_s"])
        status = manifest["certificate"].get("command_status") or 0
        answer = answer_of(
            self.checker.name, _text(folder / "command.stdout", self.checker.most_bytes), status,
            statuses=self.checker.statuses, words=self.checker.words,
            complaints=_text(folder / "command.stderr", self.checker.most_bytes)[-_TAIL_BYTES:],
        )  # fmt: skip
        own = _own_flows(manifest["transfers"])
        return replace(answer, why=f"{answer.why[:_LONGEST_WHY]} ({own})")  # it stands in tables

    def _keep(self, key: str, manifest: Manifest | None, problems: list[str]) -> None:
        words = [self.record["replay"], "--line", shlex.quote(self.line), "--", shlex.join(self.command)]
        record: CellRecord = {
            **self.record,
            "valid": manifest is not None and manifest["valid"],
            "problems": problems,
            "transfers": [] if manifest is None else manifest["transfers"],
            "observations": {},
            "replay": " ".join(words),
        }
        # An earlier try may be there whose verdict was damaged.
        self.store.forget_cell(key)
        self.store.keep_cell(key, record, {})


def _own_flows(transfers: Iterable[TransferSummary]) -> str:
    """Return what was done to a checker's own flows, in words."""
    transfers = list(transfers)
    throttled = sum(each["throttled"] for each in transfers)
    return f"{throttled} of its {len(transfers)} flows {'was' if throttled == 1 else 'were'} throttled"


class _Limits:
    """Ends a run whose program prints or takes too much. What is silent is ended by the run's own watch."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._began = time.monotonic()
        self._printed = 0

    def watch(self, message: Message) -> None:
        """Look at a message of the guest.

        Raises:
            InputError: A limit is passed.
        """
        wall_s = time.monotonic() - self._began
        if wall_s > self._checker.longest_wall_s:
            raise InputError(f"it was still running after {self._checker.longest_wall_s:g} s of this machine")
        if message["kind"] == "output":
            self._printed += len(message["data"])
            if self._printed > self._checker.most_bytes:
                raise InputError(f"it printed more than {self._checker.most_bytes} bytes")

    def require_time(self, emulated_s: float) -> None:
        """Refuse an answer that came too late in emulated time."""
        if emulated_s > self._checker.longest_s:
            raise InputError(f"it took {emulated_s:.0f} s of emulated time, more than {self._checker.longest_s:g} s")


@cache
def _kernel() -> KernelInfo:
    return ENGINES[ENGINE].prepare(lambda _: None)


def _text(path: Path, most_bytes: int) -> str:
    """Return what a program printed; nothing where it printed nothing."""
    try:
        return read_regular(path, most_bytes=most_bytes).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
