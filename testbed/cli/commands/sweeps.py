"""Many runs of one scenario: ``run`` with several seeds, or with several values of a setting."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from testbed.cli.commands.making import carry_out, new_run_folder, transfers_to_come
from testbed.cli.progress import Progress, say, show
from testbed.engine.engine import ENGINES
from testbed.engine.judge.fingerprint import plan_digest
from testbed.engine.prepare.command import UserCommand
from testbed.engine.twin import has_twin, require_a_twin
from testbed.errors import InputError, InvalidRunError, RecordError
from testbed.records.lock import locked
from testbed.records.run import SWEEP_TABLE, RunDirectory
from testbed.report.table import format_table
from testbed.report.tidy import tidy_rows, write_table
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo
    from testbed.records.manifest import Manifest
    from testbed.report.tidy import Cell
    from testbed.scenario.plan import Plan
    from testbed.scenario.sweep import Variant

__all__ = ["sweep"]

_TOLD_EVERY = 100


class _Planned(NamedTuple):
    variant: Variant
    plan: Plan
    folder: Path


def sweep(arguments: argparse.Namespace, path: Path, wanted: Sequence[Variant]) -> int:
    """Make the runs one after the other, each in a folder of its own, and a tidy table of all of them.

    A run that is there and complete is not made again, so a sweep that was stopped goes on where it was. An invalid run
    is told, and does not stop the others.

    Args:
        arguments: Of the command line.
        path: Of the scenario.
        wanted: What varies.

    Returns:
        0, or 4 if a run is invalid.

    Raises:
        ScenarioError: A variant cannot be planned. All are planned before the first of them runs.
    """
    if arguments.terminal:
        raise InputError("--terminal: a sweep has many runs, and one terminal")
    # All plans first: a mistake in the last variant is told before the first has taken its minutes.
    plans = [_plan(arguments, path, variant) for variant in _counted(wanted)]
    if arguments.twin:
        for plan in plans:
            require_a_twin(plan)
    kernel = ENGINES[arguments.engine].prepare(say)
    folder = _folder(arguments.output or new_run_folder(f"{path.stem}-sweep", plans[0].data["seed"]))
    planned = [_Planned(*each, folder / each[0].name) for each in zip(wanted, plans, strict=True)]
    with locked(folder, when_busy=lambda: _refuse_busy(folder)):
        return _make(arguments, kernel, planned, folder)


def _refuse_busy(folder: Path) -> NoReturn:
    raise InputError(f"{folder}: another sweep is making its runs in this folder; wait for it, or choose another -o")


def _counted(wanted: Sequence[Variant]) -> Iterator[Variant]:
    """Yield the variants, and say of many how far planning has come."""
    for number, variant in enumerate(wanted):
        if number and number % _TOLD_EVERY == 0:
            say(f"testbed: planned {number} of {len(wanted)} runs")
        yield variant


def _folder(path: Path) -> Path:
    """Return the folder of a sweep, made if there is none.

    Raises:
        InputError: It is something else.
    """
    if (path / "manifest.json").exists():
        raise InputError(f"{path}: this is one run, and a sweep is a folder of runs; choose another folder with -o")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path}: {error.strerror}; choose another with -o") from error
    return path


def _make(arguments: argparse.Namespace, kernel: KernelInfo, planned: Sequence[_Planned], folder: Path) -> int:
    problems: dict[str, str] = {}
    for number, each in enumerate(planned, start=1):
        if _is_complete(each, twin=arguments.twin):
            say(f"testbed: run {number} of {len(planned)}: {each.variant.name} is there already")
            continue
        say(f"testbed: run {number} of {len(planned)}: {each.variant.name}")
        try:
            command = UserCommand(arguments.user_command, visible=arguments.show) if arguments.user_command else None
            progress = Progress(transfers_to_come(each.plan, arguments), output=sys.stderr)
            carry_out(each.plan, kernel, each.folder, arguments, progress, command=command)
        except (InvalidRunError, RecordError) as error:  # anything else, such as a missing program, concerns all
            problems[each.variant.name] = str(error)
    # After an interrupt there is no table: the same command again makes the rest, and then the table.
    rows = _rows(planned)
    write_table(rows, "csv", folder / SWEEP_TABLE)
    problems |= {name: why for name, why in _invalid(planned).items() if name not in problems}
    if arguments.json:
        show(json.dumps({"sweep": str(folder), "table": str(folder / SWEEP_TABLE), "problems": problems, "rows": rows}))
    else:
        show(_summary(planned))
        show(f"runs: {folder}; table of all transfers: {folder / SWEEP_TABLE}")
    for name, why in problems.items():
        say(f"invalid run: {name}: {why}")
    return 4 if problems else 0


def _plan(arguments: argparse.Namespace, path: Path, variant: Variant) -> Plan:
    return make_plan(
        path, list(variant.settings), seed=variant.seed, engine=arguments.engine,
        command=arguments.user_command or None, line=arguments.line,
    )  # fmt: skip


def _is_complete(planned: _Planned, *, twin: bool) -> bool:
    """Return whether a run of this very plan is there and has ended, with its twin if need be.

    One that died is put aside, and so is one without the twin that is wanted now.

    Raises:
        InputError: A run of another plan is there.
        RecordError: Something that is no run is there.
    """
    if not planned.folder.exists():
        return False
    if not planned.folder.is_dir():
        raise InputError(f"{planned.folder}: a file, where a run should be; choose another folder with -o")
    if not any(planned.folder.iterdir()):
        return False
    run = RunDirectory.open(planned.folder)
    manifest = run.manifest()
    if run.is_running():
        raise InputError(f"{planned.folder}: this run is being made at this moment; wait for it, or choose another -o")
    if manifest.get("state") != "complete":
        _put_aside(planned.folder)
        return False
    fingerprint: object = manifest.get("fingerprint")  # of a manifest that others may have changed
    if not isinstance(fingerprint, dict) or fingerprint.get("plan") != plan_digest(planned.plan):
        raise InputError(f"{planned.folder}: a run of another plan; choose another folder with -o")
    if twin and manifest.get("valid") and not has_twin(manifest):
        _put_aside(planned.folder)
        return False
    return True


def _put_aside(folder: Path) -> None:
    """Keep what a run that died has recorded, under another name."""
    number = 1
    while (aside := folder.with_name(f"{folder.name}.incomplete-{number}")).exists():
        number += 1
    folder.rename(aside)
    say(f"testbed: {folder} was not completed; kept as {aside.name}, and made again")


def _rows(planned: Sequence[_Planned]) -> list[dict[str, Cell]]:
    """Return the rows of all runs, each with the settings in which they differ."""
    keys = [setting.partition("=")[0] for setting in planned[0].variant.settings]
    varied = [at for at in range(len(keys)) if len({each.variant.settings[at] for each in planned}) > 1]
    rows: list[dict[str, Cell]] = []
    of_run = {str(each.folder): each.variant.settings for each in planned}
    for row in tidy_rows(each.folder for each in planned if (each.folder / "manifest.json").exists()):
        settings = of_run[str(row["run"])]
        rows.append({**row, **{f"set_{keys[at]}": settings[at].partition("=")[2] for at in varied}})
    return rows


def _invalid(planned: Sequence[_Planned]) -> dict[str, str]:
    """Runs that have ended and must not be scored, and why."""
    found = {}
    for each in planned:
        manifest = _manifest(each)
        if manifest is not None and manifest.get("valid") is False:
            found[each.variant.name] = "; ".join(manifest.get("problems", [])) or "it is not complete"
    return found


def _manifest(planned: _Planned) -> Manifest | None:
    try:
        return RunDirectory.open(planned.folder).manifest()
    except RecordError:
        return None  # it failed before there was anything to write


def _summary(planned: Sequence[_Planned]) -> str:
    """Return a line a run: how many transfers were completed, and how many were throttled."""
    rows = []
    for each in planned:
        transfers = (_manifest(each) or {}).get("transfers", [])
        done, throttled = (sum(bool(one[key]) for one in transfers) for key in ("ok", "throttled"))
        rows.append((each.variant.name, str(len(transfers)), str(done), str(throttled)))
    return format_table(("run", "transfers", "completed", "throttled"), rows, right=frozenset({1, 2, 3}))
