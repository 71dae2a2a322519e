"""What all commands that make runs share: a plan carried out in a folder."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.progress import say
from testbed.engine.run import run_plan
from testbed.engine.twin import add_twin
from testbed.errors import RecordError
from testbed.records.run import RunDirectory

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from testbed.cli.progress import Progress
    from testbed.engine.kernel import KernelInfo
    from testbed.engine.prepare.command import UserCommand
    from testbed.engine.run import LiveShell
    from testbed.records.manifest import Manifest
    from testbed.scenario.plan import Plan

__all__ = ["carry_out", "new_run_folder", "transfers_to_come"]


def carry_out(
    plan: Plan,
    kernel: KernelInfo,
    folder: Path,
    arguments: argparse.Namespace,
    progress: Progress,
    *,
    command: UserCommand | None = None,
    shell: LiveShell | None = None,
) -> Manifest:
    """Run a plan in a folder; return the manifest.

    Args:
        plan: The scenario, resolved.
        kernel: What a guest runs on.
        folder: The run directory.
        arguments: Of the command line: ``watchdog``, ``memory`` and ``twin``.
        progress: Shows what the guest says.
        command: The user's, as its caller would run it; None: the plan has none.
        shell: Names programs while the run goes on; None: the plan has none.
    """

    def make(plan: Plan, *, folder: Path, command: UserCommand | None = None) -> Manifest:
        return run_plan(
            plan,
            kernel,
            folder,
            silence_s=arguments.watchdog,
            progress=progress.show if shell is None else shell.hear,
            command=command,
            shell=shell,
            memory_mib=arguments.memory,
        )

    with _named(folder, arguments):
        manifest = make(plan, folder=folder, command=command)
        if arguments.twin and manifest["valid"]:
            manifest = add_twin(plan, RunDirectory.open(folder), make)
    arguments.stopped = "stopped when the run had been recorded"
    progress.clear()
    return manifest


def transfers_to_come(plan: Plan, arguments: argparse.Namespace) -> int:
    """Return how many transfers there are to be told of: those of the twin, too."""
    return len(plan.transfers) * (2 if arguments.twin else 1)


@contextlib.contextmanager
def _named(folder: Path, arguments: argparse.Namespace) -> Iterator[None]:
    """Name the run directory of a run that fails, if there is something in it, and leave no empty one."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # a folder that cannot even be looked at has nothing in it
            if (folder / "manifest.json").exists():
                arguments.stopped = "stopped; what was recorded is kept and marked incomplete"
                say(f"run directory: {folder}")
            else:
                folder.rmdir()  # made for this run, and empty
        raise


def new_run_folder(name: str, seed: int) -> Path:
    """Make an empty folder for a run, with a name that no other run has.

    Raises:
        RecordError: None can be made below the current folder.
    """
    # Below the current folder, not in a hidden place: results belong to whoever asked for them.
    root = Path("results/runs")
    try:
        root.mkdir(parents=True, exist_ok=True)
        return _made(root, f"{name}-seed{seed}")
    except OSError as error:  # the current folder cannot be written, or is not there any more
        problem = f"cannot make a folder for the run in {root}, below the current one: {error.strerror}"
        raise RecordError(f"{problem}; choose another folder with -o") from error


def _made(root: Path, name: str) -> Path:
    number = 1
    while True:
        folder = root / f"{name}-{number}"
        try:
            folder.mkdir()  # at once, so that no other run takes the name meanwhile
        except FileExistsError:
            number += 1
        else:
            return folder
