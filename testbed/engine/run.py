"""A run from plan to finished run directory: boot, listen, end, check, write down."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from testbed.engine.engine import ENGINES, GuestSetup, Operator
from testbed.engine.prepare.command import UserCommand, open_files
from testbed.engine.prepare.disk_room import ELSEWHERE, require_cache_room, require_room
from testbed.engine.prepare.environment import require_open_files, require_reading
from testbed.engine.prepare.guest_code import require_cache
from testbed.engine.prepare.guest_memory import guest_memory_mib
from testbed.engine.prepare.openssl import openssl_configuration
from testbed.engine.prepare.programs import require_programs
from testbed.engine.prepare.settling import settled_clock
from testbed.engine.prepare.substitutes import describe_substitutes, programs_used, settle_programs
from testbed.engine.uml.spool import Spool
from testbed.errors import CertificateError, GuestError, RecordError, TestbedError
from testbed.records.run import FORMAT, SPOOL, RunDirectory, process_start

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.engine import Engine, RunningGuest
    from testbed.engine.judge.comparisons import Comparisons
    from testbed.engine.kernel import KernelInfo
    from testbed.records.manifest import Manifest
    from testbed.records.messages import FailedMessage, FinishedMessage, Message
    from testbed.records.plan import Clock
    from testbed.scenario.plan import Plan

__all__ = ["LiveShell", "run_plan"]

_FULL_DISK_BYTES = 1 << 20
# Loaded while the guest boots: neither the guest nor its user need wait for them.
_FINGERPRINT, _JUDGE = "testbed.engine.judge.fingerprint", "testbed.engine.judge.judge"
_COMPARISONS = "testbed.engine.judge.comparisons"
Progress = Callable[["Message"], None]


class LiveShell(Operator, Protocol):
    """Who names programs while a run goes on."""

    def move_in(self, spool: Spool, folder: Path) -> None:
        """Learn where the guest's folder and the run directory are, before the guest is started."""

    def move_out(self) -> None:
        """Give the user's terminal back: the guest has ended, in whatever way."""

    def hear(self, message: Message) -> None:
        """Take what the guest says, as ``progress`` of `run_plan` would."""


def run_plan(
    plan: Plan,
    kernel: KernelInfo,
    folder: Path,
    *,
    silence_s: float,
    progress: Progress,
    command: UserCommand | None = None,
    shell: LiveShell | None = None,
    memory_mib: int | None = None,
) -> Manifest:
    """Run a plan.

    Args:
        plan: The scenario, resolved.
        kernel: What a guest runs on, as the plan's engine prepares it.
        folder: The run directory to make.
        silence_s: See `Guest`.
        progress: Called with each message of the guest, and with what a command prints (kind ``output``, ``stream``,
            ``data`` in bytes).
        memory_mib: Of the guest; None: what the plan needs.
        command: How the plan's command is run; None: as the caller of this process would run it.
        shell: Names programs while the run goes on, where the plan has a shell in the place of a command.

    Returns:
        The manifest of the finished run.

    Raises:
        InputError: The command is not there.
        MissingError: The kernel is not built, or the guest would lack a program.
        RecordError: The folder cannot be used.
        InvalidRunError: The run failed; what was recorded is there and marked incomplete.
    """
    began = time.monotonic()
    engine = ENGINES[plan.data["engine"]]
    memory_mib = guest_memory_mib(plan) if memory_mib is None else memory_mib
    engine.require(kernel, memory_mib)
    require_open_files(len(plan.data["captures"]))
    require_reading(folder.absolute())
    warning = require_room(plan, folder.absolute())
    if warning is not None:
        progress({"kind": "progress", "what": warning, "t": 0.0})
    plan = settle_programs(plan)
    require_programs(plan)
    require_cache_room()
    require_cache()
    for substitute in describe_substitutes(plan):
        progress({"kind": "progress", "what": substitute, "t": 0.0})
    openssl_configuration(plan.data["hello"])  # whether it can be had, before anything is made
    if plan.command is not None:
        command = _found(command, plan.command, shell)
    clock = settled_clock(plan, engine)
    plan = _dated(plan, clock)
    # Whatever can be refused has been by now: from here on there is a folder, and what happens is written down in it.
    run = RunDirectory.create(folder)
    manifest = _manifest(plan, kernel)
    attempt = _Attempt(engine, clock, run, command, shell, progress)
    try:
        run.write_manifest(manifest)
        (folder / "plan.json").write_text(json.dumps(plan.data, indent=1))
        report, comparisons = attempt.record(plan, kernel, manifest, memory_mib=memory_mib, silence_s=silence_s)
        guest_s = time.monotonic() - began
        progress({"kind": "progress", "what": "checking the records", "t": report["emulated_s"]})
        # Comparing captures takes a while; who looks meanwhile finds a run that has ended, not one that hangs.
        manifest["state"] = "checking"
        manifest["emulated_s"] = report["emulated_s"]
        run.write_manifest(manifest)
        judge: Callable[..., None] = import_module(_JUDGE).judge
        judge(run, plan, report["certificate"], manifest, comparisons)
    except BaseException as error:  # a KeyboardInterrupt too: what was recorded by then is kept, and marked
        attempt.discard()
        problem = _explain(error, folder)
        manifest |= {"state": "incomplete", "valid": False, "problems": [problem]}
        _write_down_what_is_there(run, manifest)
        if isinstance(error, OSError):
            raise (RecordError if _is_of(error, folder) else TestbedError)(problem) from error
        if isinstance(error, TestbedError):  # of the same kind: a command's exit status goes by it
            raise type(error)(problem) from error
        raise
    manifest["state"] = "complete"
    manifest["wall_s"] = time.monotonic() - began
    manifest["guest_wall_s"] = guest_s
    run.write_manifest(manifest)
    return manifest


def _dated(plan: Plan, clock: Clock) -> Plan:
    """Return the plan as it is to be run: where the clock is the machine's own, t = 0 is an instant of it.

    The censors stay those of the scenario's date.
    """
    if not clock.get("is_machines"):
        return plan
    return replace(plan, data={**plan.data, "start_ns": time.time_ns() + round(clock["settle_s"] * 1e9)})


def _found(command: UserCommand | None, argv: list[str], shell: LiveShell | None) -> UserCommand | None:
    """Return the command of a plan, which is there and may have files open; None: a shell will name some."""
    open_files()
    if shell is not None:
        return None
    command = UserCommand(argv) if command is None else command
    command.program()
    return command


@dataclass(slots=True)
class _Attempt:
    """One guest, from its folder to what is taken over of it.

    Attributes:
        engine: That runs the guest.
        clock: Of the engine, with the time that the plan's network needs.
        run: Where its records go.
        command: The user's program, if the plan has one.
        shell: Of the plan, if it has one.
        progress: Told of each message.
        comparisons: Of the guest's records, once it has been started.
    """

    engine: Engine
    clock: Clock
    run: RunDirectory
    command: UserCommand | None
    shell: LiveShell | None
    progress: Progress
    comparisons: Comparisons | None = None

    def record(
        self, plan: Plan, kernel: KernelInfo, manifest: Manifest, *, memory_mib: int, silence_s: float
    ) -> tuple[FinishedMessage, Comparisons]:
        """Let the guest run the plan, and take over what it recorded, whatever happens.

        Returns:
            The guest's report, and what has compared a part of its records by then.
        """
        spool = Spool(self.run.path)
        keyboard = None if self.command is None else self.command.keyboard
        try:
            self._fill(spool, plan)
            if self.shell is not None:
                self.shell.move_in(spool, self.run.path)
            setup = GuestSetup(
                kernel=kernel,
                spool=spool,
                log=self.run.path / "guest.log",
                memory_mib=memory_mib,
                start_ns=plan.data["start_ns"],
                settle_s=self.clock["settle_s"],
                seed=plan.data["seed"],
                silence_s=silence_s,
                operator=self.shell or keyboard,
            )
            with nullcontext() if keyboard is None else keyboard.raw():
                return self._listen(setup, lambda: self._meanwhile(plan, kernel, manifest, memory_mib))
        finally:
            # First of all: what is told from here on is told on the user's terminal.
            if self.shell is not None:
                self.shell.move_out()
            manifest["left_behind"] = spool.take_over()
            spool.remove()

    def _fill(self, spool: Spool, plan: Plan) -> None:
        """Put what the guest reads into its folder; it can have nothing else later."""
        spool.fill(plan.data, self.clock, openssl_configuration(plan.data["hello"]))
        if self.command is not None:
            if self.command.stdin is not None:
                self.progress({"kind": "progress", "what": "reading the command's input", "t": 0.0})
            spool.put_command(self.command.order(self.run.path), self.command.stdin)

    def discard(self) -> None:
        """After a failure: remove what has been compared in part and cannot be read any more."""
        if self.comparisons is not None:
            with suppress(OSError):  # the folder is gone, or cannot be written: that is told already
                self.comparisons.discard(self.run.path)

    def _meanwhile(self, plan: Plan, kernel: KernelInfo, manifest: Manifest, memory_mib: int) -> Comparisons:
        """Do what takes no time, since the guest boots beside it; return what compares its records while it runs."""
        influences: Callable[[Plan, KernelInfo, int], Manifest] = import_module(_FINGERPRINT).describe_influences
        manifest.update(influences(plan, kernel, memory_mib))
        self.run.write_manifest(manifest)
        import_module(_JUDGE)
        comparisons: Callable[[Plan, Path], Comparisons] = import_module(_COMPARISONS).Comparisons
        return comparisons(plan, self.run.path.resolve() / SPOOL)

    def _listen(self, setup: GuestSetup, meanwhile: Callable[[], Comparisons]) -> tuple[FinishedMessage, Comparisons]:
        """Start the guest and listen to it until it has finished; return its last message."""
        with self.engine.start(setup) as guest:
            try:
                self.comparisons = comparisons = meanwhile()
                with comparisons.meanwhile():
                    return self._hear_all(guest, comparisons), comparisons
            except KeyboardInterrupt:
                guest.stop()
                raise

    def _hear_all(self, guest: RunningGuest, comparisons: Comparisons) -> FinishedMessage:
        for message in guest.messages():
            comparisons.hear(message)
            self.progress(message)
            if message["kind"] == "failed":
                raise _failure(message)
            if message["kind"] == "finished":
                return message
        raise GuestError("the guest ended without a report")


def _manifest(plan: Plan, kernel: KernelInfo) -> Manifest:
    """Return what is known before the guest starts."""
    return {
        "format": FORMAT,
        "state": "running",
        "process": {"pid": os.getpid(), "started": process_start(os.getpid())},
        "scenario": plan.name,
        "title": plan.data["title"],
        "seed": plan.data["seed"],
        "drawn": plan.data["drawn"],
        "engine": plan.data["engine"],
        "start_ns": plan.data["start_ns"],
        "kernel": {"hash": kernel.hash, "source": kernel.source},
        "programs": programs_used(plan),
    }


def _failure(message: FailedMessage) -> TestbedError:
    kind = CertificateError if message["error"] == "CertificateError" else GuestError
    name = "" if message["error"] in {"GuestError", "CertificateError"} else f"{message['error']}: "
    return kind(f"in the guest: {name}{message['message']}")


def _explain(error: BaseException, folder: Path) -> str:
    """Return the error in words, and a full disk where there is one: inside the guest it looks like anything."""
    text = "stopped by the user" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
    if isinstance(error, OSError):
        what = f"cannot write the run directory {folder}" if _is_of(error, folder) else os.fsdecode(error.filename)
        text = f"{what}: {error.strerror}"
    if _is_full(folder):
        text += f"; the disk that holds {folder} is full: free some space, or {ELSEWHERE}"
    return text


def _is_of(error: OSError, folder: Path) -> bool:
    """Return whether an error is one of the run directory, as far as it says: it may be of the cache, or a program."""
    if not isinstance(error.filename, (str, bytes)):
        return True
    place = os.path.realpath(folder)
    return os.path.commonpath([place, os.path.realpath(os.fsdecode(error.filename))]) == place


def _is_full(folder: Path) -> bool:
    try:
        status = os.statvfs(folder)
    except OSError:
        return False  # the folder itself is gone
    return status.f_bavail * status.f_frsize < _FULL_DISK_BYTES


def _write_down_what_is_there(run: RunDirectory, manifest: Manifest) -> None:
    try:
        run.write_manifest(manifest)
    except OSError:
        return  # the disk is full or gone: the first manifest, which says "running", stays
