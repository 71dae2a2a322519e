"""The command that makes a run: ``run``."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING

from testbed.cli.commands.making import carry_out, new_run_folder, transfers_to_come
from testbed.cli.commands.sweeps import one_of, sweep
from testbed.cli.progress import Progress, say, show
from testbed.engine.engine import ENGINES
from testbed.engine.prepare.command import UserCommand
from testbed.engine.twin import require_a_twin
from testbed.engine.uml.keyboard import Keyboard
from testbed.errors import InputError
from testbed.report.table import transfer_table
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from testbed.scenario.sweep import variants

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from testbed.records.manifest import Manifest
    from testbed.scenario.plan import Plan
    from testbed.scenario.sweep import Variant

__all__ = ["RUN_KEYS", "on_terminal", "piped_input", "run_command", "run_status", "tell_run"]

RUN_KEYS = ("valid", "problems", "checks", "notes", "seed", "emulated_s", "wall_s")
_TRANSFER_KEYS = (
    "name", "line", "sni", "direction", "role", "ok", "bytes", "duration_s", "goodput_bps", "handshake_s", "throttled",
    "rule", "drops", "hello", "influences", "without_boxes", "error", "published", "group",
)  # fmt: skip


def run_command(arguments: argparse.Namespace) -> int:
    """Run a scenario and print who was throttled."""
    path = library.find("scenarios", arguments.scenario)
    wanted = variants(arguments.settings, arguments.seed)
    is_sweep = len(wanted) > 1 or arguments.by_day
    if is_sweep and arguments.only in {None, "-"}:
        return sweep(arguments, path, wanted)
    plan = _plan(arguments, path, wanted, is_sweep=is_sweep)
    if arguments.twin:
        require_a_twin(plan)
    command = _user_command(arguments)
    if command is not None:
        command.program()  # a mistyped program is told now, not after the minutes that building a kernel takes
    progress = Progress(transfers_to_come(plan, arguments), output=sys.stderr if arguments.json else sys.stdout)
    kernel = ENGINES[arguments.engine].prepare(say)
    # The folder is made after the kernel: a build that fails leaves nothing behind.
    folder = arguments.output or new_run_folder(plan.name, plan.data["seed"])
    manifest = carry_out(plan, kernel, folder, arguments, progress, command=command)
    status = manifest["certificate"].get("command_status") or 0
    return tell_run(manifest, folder, progress, status, as_json=arguments.json, is_command=command is not None)


def tell_run(
    manifest: Manifest, folder: Path, progress: Progress, status: int, *, as_json: bool, is_command: bool
) -> int:
    """Tell what came of a run; return the exit status.

    Args:
        manifest: Of the run.
        folder: The run directory.
        progress: That showed what commands printed.
        status: Of the user's command; 0 where there was none.
        as_json: Print one JSON object.
        is_command: What is printed on stdout is a command's own.
    """
    if as_json:
        summaries: list[Mapping[str, object]] = [*manifest["transfers"]]
        transfers = [{key: each[key] for key in _TRANSFER_KEYS if key in each} for each in summaries]
        run = {key: manifest.get(key) for key in RUN_KEYS}
        show(json.dumps({"run": str(folder), **run, "transfers": transfers}))
    else:
        table = sys.stderr if is_command else sys.stdout
        show(transfer_table(manifest), file=table)
        show(f"run directory: {folder} (testbed report {folder})", file=table)
    # What a command printed could not all be passed on: a pipeline must not take it for the whole.
    if progress.lost is not None:
        say(f"testbed: {progress.lost}")
    return run_status(manifest, status or int(progress.lost is not None))


def _plan(arguments: argparse.Namespace, path: Path, wanted: Sequence[Variant], *, is_sweep: bool) -> Plan:
    """Return the plan of the one run that is to be made."""
    if is_sweep:
        return one_of(arguments, path, wanted)
    for option, value in (("--only", arguments.only), ("--jobs", arguments.jobs)):
        if value is not None:
            raise InputError(f"{option} {value}: this is one run; say several seeds or values, or --by-day")
    return make_plan(
        path, list(wanted[0].settings), seed=wanted[0].seed, engine=arguments.engine,
        command=arguments.user_command or None, line=arguments.line,
    )  # fmt: skip


def _user_command(arguments: argparse.Namespace) -> UserCommand | None:
    """Return the command after ``--``, as its caller would run it; None where there is none."""
    if arguments.terminal and not (ENGINES[arguments.engine].has_terminal and arguments.user_command):
        able = " or ".join(name for name, engine in ENGINES.items() if engine.has_terminal)
        raise InputError(f"--terminal: only a command with --engine {able} has one; in virtual time nobody can type")
    if not arguments.user_command:
        if arguments.show:
            raise InputError(f"--show {arguments.show[0]}: it says what a command may read, and there is none after --")
        return None
    for path in arguments.show:
        if not path.exists():
            raise InputError(f"--show {path}: there is no such file or folder")
    # A terminal takes what is typed while the program runs; anything else on stdin is read whole before it starts.
    has_terminal = arguments.terminal or (ENGINES[arguments.engine].has_terminal and on_terminal())
    keyboard = Keyboard(0) if has_terminal else None
    return UserCommand(
        arguments.user_command, visible=arguments.show, keyboard=keyboard, stdin=None if keyboard else piped_input()
    )


def on_terminal() -> bool:
    """Return whether somebody sits before us: what they type comes from a terminal, and what we print goes to one."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout))


def piped_input() -> int | None:
    """Return the descriptor of what is piped into us; None for a terminal, for nothing, and for what cannot be read."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return None
    return None if stat.S_ISCHR(mode) else 0


def run_status(manifest: Manifest, status: int) -> int:
    """Return the status of a valid run; that of an invalid one, after saying why."""
    if manifest["valid"]:
        return status
    for problem in manifest["problems"]:
        say(f"invalid run: {problem}")
    return 4
