"""Many runs of one scenario: ``run`` with several seeds, with several values of a setting, or day by day."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from testbed.cli.commands.making import carry_out, new_run_folder, transfers_to_come
from testbed.cli.progress import Progress, say, show
from testbed.engine.engine import ENGINES
from testbed.engine.judge.fingerprint import plan_digest
from testbed.engine.prepare.command import UserCommand
from testbed.engine.prepare.substitutes import settle_programs
from testbed.engine.twin import has_twin, require_a_twin
from testbed.errors import InputError, InvalidRunError, RecordError
from testbed.quantities import shown
from testbed.records.lock import locked
from testbed.records.run import SWEEP_TABLE, RunDirectory
from testbed.report.table import format_table
from testbed.report.tidy import tidy_rows, write_table
from testbed.scenario import library
from testbed.scenario.by_day import day_of, days_of
from testbed.scenario.plan import make_plan
from testbed.scenario.sweep import by_day
from testbed.validation.running.carriers import Threads, carry_all, processors
from testbed.validation.running.worker import answers, this_program

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo
    from testbed.records.manifest import Manifest
    from testbed.report.tidy import Cell
    from testbed.scenario.plan import Plan
    from testbed.scenario.sweep import Variant

__all__ = ["one_of", "sweep"]

_TOLD_EVERY = 100
_FEW = 5


class _Planned(NamedTuple):
    variant: Variant
    plan: Plan
    folder: Path


class _Planner:
    """Plans the runs of a sweep. A scenario is resolved once for all of its days."""

    def __init__(self, arguments: argparse.Namespace, path: Path, wanted: Sequence[Variant]) -> None:
        self._arguments = arguments
        self._path = path
        self._wanted = wanted
        self._resolved: tuple[Variant, Plan] | None = None

    def variants(self) -> list[Variant]:
        """Return the runs that are to be made: those that are wanted, or the days of each."""
        return [run for each in self._wanted for run in self._runs_of(each)]

    def plan(self, variant: Variant) -> Plan:
        """Return the plan of a run."""
        if variant.day is None:
            return self._whole(variant)
        return day_of(self._whole(replace(variant, day=None)), variant.day)

    def called(self, name: str) -> Variant:
        """Return the run of a name, such as ``seed=3`` or ``2021-03-11``.

        Raises:
            InputError: The sweep has none.
        """
        for each in self._wanted:
            # A name begins with its variant's: the days of all others need not be known.
            if len(self._wanted) == 1 or name.startswith(each.name):
                for run in self._runs_of(each):
                    if run.name == name:
                        return run
        raise InputError(f"--only {shown(name)}: this sweep has no such run (there: {self._examples()})")

    def _runs_of(self, variant: Variant) -> list[Variant]:
        if not self._arguments.by_day:
            return [variant]
        return by_day(variant, days_of(self._whole(variant)), is_alone=len(self._wanted) == 1)

    def _examples(self) -> str:
        names = [each.name for each in self.variants()]
        return ", ".join(names) if len(names) <= _FEW else f"{names[0]}, {names[1]} … {names[-1]}"

    def _whole(self, variant: Variant) -> Plan:
        variant = replace(variant, name="")
        if self._resolved is None or self._resolved[0] != variant:
            self._resolved = variant, make_plan(
                self._path, list(variant.settings), seed=variant.seed, engine=self._arguments.engine,
                command=self._arguments.user_command or None, line=self._arguments.line,
            )  # fmt: skip
        return self._resolved[1]


def sweep(arguments: argparse.Namespace, path: Path, wanted: Sequence[Variant]) -> int:
    """Make several runs, each in a folder of its own, and a tidy table of all of them.

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
    jobs = _jobs(arguments)
    planner = _Planner(arguments, path, wanted)
    if arguments.only == "-":
        return _make_asked(arguments, planner)
    variants = planner.variants()
    # All plans first: a mistake in the last variant is told before the first has taken its minutes.
    plans = [planner.plan(variant) for variant in _counted(variants)]
    if arguments.twin:
        for plan in plans:
            require_a_twin(plan)
    kernel = ENGINES[arguments.engine].prepare(say)
    folder = _folder(
        arguments.output
        or new_run_folder(f"{path.stem}-sweep", arguments.seed[0] if arguments.seed else plans[0].data["seed"])
    )
    planned = [_Planned(*each, folder / each[0].name) for each in zip(variants, plans, strict=True)]
    # Those that go on in processes of their own end with these, and are made anew.
    arguments.stopped = f"stopped; finished runs are kept in {folder}, and with -o {folder} the same command goes on"
    with locked(folder, when_busy=lambda: _refuse_busy(folder)):
        return _make(arguments, kernel, planned, folder, jobs)


def one_of(arguments: argparse.Namespace, path: Path, wanted: Sequence[Variant]) -> Plan:
    """Return the plan of the one run of a sweep that the command line names.

    Raises:
        InputError: The sweep has no such run.
        ScenarioError: It cannot be planned.
    """
    planner = _Planner(arguments, path, wanted)
    return planner.plan(planner.called(arguments.only))


def _jobs(arguments: argparse.Namespace) -> int:
    """Return how many runs are made at once.

    Raises:
        InputError: More than one, where that cannot be.
    """
    alone = None
    if arguments.user_command:
        alone = "a command's output would be mixed with that of others"
    elif not ENGINES[arguments.engine].clock["is_virtual"]:
        alone = f"with --engine {arguments.engine} runs would slow each other down"
    if alone is None:
        return arguments.jobs or processors()
    if arguments.jobs and arguments.jobs > 1:
        raise InputError(f"--jobs {arguments.jobs}: {alone}; leave it out")
    return 1


def _make_asked(arguments: argparse.Namespace, planner: _Planner) -> int:
    """Make the runs whose names come on standard input, and answer each."""
    if arguments.output is None:
        raise InputError("--only -: it makes runs in a sweep's folder; say which with -o")
    kernel = ENGINES[arguments.engine].prepare(say)

    def make(name: str) -> None:
        plan = planner.plan(planner.called(name))
        carry_out(plan, kernel, arguments.output / name, arguments, Progress(0, output=sys.stderr))

    problems = 0
    for answer in answers(sys.stdin, make):
        print(answer, flush=True)
        problems += json.loads(answer)["problem"] is not None
    return 4 if problems else 0


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


def _make(
    arguments: argparse.Namespace, kernel: KernelInfo, planned: Sequence[_Planned], folder: Path, jobs: int
) -> int:
    began = time.monotonic()
    absent = [each for each in planned if not _is_complete(each, twin=arguments.twin)]
    if len(absent) < len(planned):
        say(f"testbed: {len(planned) - len(absent)} of {len(planned)} runs are there already")
    if jobs == 1 or len(absent) == 1:
        problems = _one_after_the_other(arguments, kernel, absent)
    else:
        names, again = [each.variant.name for each in absent], _again(arguments, folder)
        problems = carry_all(names, Threads(jobs, this_program), again, progress=lambda text: say(f"testbed: {text}"))
    wall_s = time.monotonic() - began
    # After an interrupt there is no table: the same command again makes the rest, and then the table.
    rows = _rows(planned)
    write_table(rows, "csv", folder / SWEEP_TABLE)
    problems |= {name: why for name, why in _invalid(planned).items() if name not in problems}
    if arguments.json:
        show(json.dumps({"sweep": str(folder), "table": str(folder / SWEEP_TABLE), "problems": problems, "rows": rows}))
    else:
        show(_summary(planned))
        show(_speed(absent, wall_s))
        show(f"runs: {folder}; table of all transfers: {folder / SWEEP_TABLE}")
    for name, why in problems.items():
        say(f"invalid run: {name}: {why}")
    if problems:
        say(f"testbed: to make one again, remove its folder in {folder} and give the command again")
    return 4 if problems else 0


def _one_after_the_other(
    arguments: argparse.Namespace, kernel: KernelInfo, absent: Sequence[_Planned]
) -> dict[str, str]:
    problems: dict[str, str] = {}
    for number, each in enumerate(absent, start=1):
        say(f"testbed: run {number} of {len(absent)}: {each.variant.name}")
        try:
            command = UserCommand(arguments.user_command, visible=arguments.show) if arguments.user_command else None
            progress = Progress(transfers_to_come(each.plan, arguments), output=sys.stderr)
            carry_out(each.plan, kernel, each.folder, arguments, progress, command=command)
        except (InvalidRunError, RecordError) as error:  # anything else, such as a missing program, concerns all
            problems[each.variant.name] = str(error)
    return problems


def _again(arguments: argparse.Namespace, folder: Path) -> list[str]:
    """Return the arguments of a process that makes those runs of this sweep that it is asked for."""
    words = ["run", str(library.find("scenarios", arguments.scenario).resolve()), "--only", "-", "-o", str(folder)]
    words += ["--engine", arguments.engine, "--watchdog", str(arguments.watchdog)]
    words += [word for setting in arguments.settings for word in ("--set", setting)]
    if arguments.seed is not None:
        words += ["--seed", ",".join(map(str, arguments.seed))]
    if arguments.memory is not None:
        words += ["--memory", f"{arguments.memory} MiB"]
    return words + [
        f"--{name}" for name, is_said in (("by-day", arguments.by_day), ("twin", arguments.twin)) if is_said
    ]


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
    try:
        run = RunDirectory.open(planned.folder)
        manifest = run.manifest()
    except RecordError as error:
        raise RecordError(f"{error}; remove {planned.folder} to make this run again, or choose another -o") from error
    if run.is_running():
        raise InputError(f"{planned.folder}: this run is being made at this moment; wait for it, or choose another -o")
    if manifest.get("state") != "complete":
        _put_aside(planned.folder)
        return False
    fingerprint: object = manifest.get("fingerprint")  # of a manifest that others may have changed
    if not isinstance(fingerprint, dict) or fingerprint.get("plan") != plan_digest(settle_programs(planned.plan)):
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
            found[each.variant.name] = "; ".join(manifest.get("problems", [])) or "its manifest says so, and not why"
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


def _speed(made: Sequence[_Planned], wall_s: float) -> str:
    emulated_s = sum(float((_manifest(each) or {}).get("emulated_s") or 0.0) for each in made)
    rate = f" ({emulated_s / wall_s:.0f} times real time)" if wall_s and emulated_s else ""
    return f"{len(made)} runs made: {emulated_s:.0f} emulated seconds in {wall_s:.0f} s{rate}"
