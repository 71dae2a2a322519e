"""What each command does: calls, and prints. No logic of its own.

Imports stand where they are needed, so that `testbed --help` is quick.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.cli.progress import Progress, reading_progress, say, show
from testbed.errors import InputError, RecordError, ScenarioError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

__all__ = [
    "conformance_command",
    "detect_command",
    "diff_command",
    "doctor_command",
    "inspect_command",
    "kernel_command",
    "list_command",
    "observe_command",
    "probe_command",
    "report_command",
    "run_command",
    "schema_command",
    "show_command",
]

_RUN_KEYS = ("valid", "problems", "checks", "notes", "seed", "emulated_s", "wall_s")
_TRANSFER_KEYS = (
    "name", "line", "sni", "direction", "role", "ok", "bytes", "duration_s", "goodput_bps", "handshake_s", "throttled",
    "rule", "drops", "hello", "error", "published",
)  # fmt: skip


def run_command(arguments: argparse.Namespace) -> int:
    """Run a scenario and print who was throttled."""
    from testbed.engine.kernel import ensure_kernel, kernel_info  # noqa: PLC0415 - keeps `testbed --help` quick
    from testbed.engine.run import run_plan  # noqa: PLC0415
    from testbed.report.table import transfer_table  # noqa: PLC0415
    from testbed.scenario import library  # noqa: PLC0415
    from testbed.scenario.plan import make_plan  # noqa: PLC0415

    plan = make_plan(
        library.find("scenarios", arguments.scenario),
        arguments.settings,
        seed=arguments.seed,
        engine=arguments.engine,
        command=arguments.user_command or None,
        line=arguments.line,
    )
    command = _user_command(arguments)
    if command is not None:
        command.program()  # before the kernel is built
    ensure_kernel(progress=say)
    folder = arguments.output or _new_run_folder(plan.name, plan.data["seed"])
    progress = Progress(len(plan.transfers), output=sys.stderr if arguments.json else sys.stdout)
    with _named(folder):
        manifest = run_plan(
            plan,
            kernel_info(),
            folder,
            silence_s=arguments.watchdog,
            progress=progress.show,
            command=command,
            memory_mib=arguments.memory,
        )
    progress.clear()
    if arguments.json:
        transfers = [
            {key: transfer[key] for key in _TRANSFER_KEYS if key in transfer} for transfer in manifest["transfers"]
        ]
        run = {key: manifest.get(key) for key in _RUN_KEYS}
        show(json.dumps({"run": str(folder), **run, "transfers": transfers}))
    else:
        table = sys.stderr if command else sys.stdout  # what a command prints on stdout is its own
        show(transfer_table(manifest), file=table)
        show(f"run directory: {folder} (testbed report {folder})", file=table)
    if progress.lost is not None:
        say(f"testbed: {progress.lost}")
    return _status(manifest, int(manifest["certificate"].get("command_status", 0)) or int(progress.lost is not None))


def _user_command(arguments: argparse.Namespace) -> Any:
    """The command after ``--``, as its caller would run it; None where there is none."""
    from testbed.engine.command import UserCommand  # noqa: PLC0415
    from testbed.engine.keyboard import Keyboard  # noqa: PLC0415

    if arguments.terminal and (arguments.engine != "realtime" or not arguments.user_command):
        raise InputError("--terminal: only a command with --engine realtime has one; in virtual time nobody can type")
    if not arguments.user_command:
        if arguments.show:
            raise InputError(f"--show {arguments.show[0]}: it says what a command may read, and there is none after --")
        return None
    for path in arguments.show:
        if not path.exists():
            raise InputError(f"--show {path}: there is no such file or folder")
    keyboard = Keyboard(0) if arguments.terminal else None
    return UserCommand(
        arguments.user_command, visible=arguments.show, keyboard=keyboard, stdin=None if keyboard else _input()
    )


@contextlib.contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Name the run directory of a run that fails, if there is something in it, and leave no empty one."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # a folder that cannot even be looked at has nothing in it
            if (folder / "manifest.json").exists():
                say(f"run directory: {folder}")
            else:
                folder.rmdir()  # made for this run, and empty
        raise


def _input() -> int | None:
    """The descriptor of what is piped into us; None for a terminal, for nothing, and for what cannot be read."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return None
    return None if stat.S_ISCHR(mode) else 0


def probe_command(arguments: argparse.Namespace) -> int:
    """Probe a censor and print what was found beside what is configured."""
    from testbed.engine.kernel import ensure_kernel, kernel_info  # noqa: PLC0415
    from testbed.engine.probe import ProbeRequest, plan_probe, read_findings  # noqa: PLC0415
    from testbed.engine.probe_check import compare  # noqa: PLC0415
    from testbed.engine.run import run_plan  # noqa: PLC0415
    from testbed.report.probes import probe_table  # noqa: PLC0415
    from testbed.scenario import library  # noqa: PLC0415

    plan = plan_probe(
        library.find("scenarios", arguments.scenario),
        arguments.settings,
        ProbeRequest.from_words(
            arguments.probe, arguments.options, line=arguments.line, sni=arguments.sni, names=arguments.names
        ),
        seed=arguments.seed,
        engine=arguments.engine,
    )
    ensure_kernel(progress=say)
    folder = arguments.output or _new_run_folder(f"{plan.name}-probe-{arguments.probe}", plan.data["seed"])
    progress = Progress(len(plan.transfers))
    with _named(folder):
        manifest = run_plan(
            plan,
            kernel_info(),
            folder,
            silence_s=arguments.watchdog,
            progress=progress.show,
            memory_mib=arguments.memory,
        )
    progress.clear()
    result = compare(plan, read_findings(plan, folder))
    if arguments.json:
        run = {key: manifest.get(key) for key in _RUN_KEYS}
        show(json.dumps({"run": str(folder), **run, **result.as_json()}))
    else:
        show(probe_table(result))
        show(f"run directory: {folder}")
    return _status(manifest, 0 if result.agrees else 1)


def _status(manifest: dict[str, Any], status: int) -> int:
    """The status of a valid run; that of an invalid one, after saying why."""
    if manifest["valid"]:
        return status
    for problem in manifest["problems"]:
        say(f"invalid run: {problem}")
    return 4


def _new_run_folder(name: str, seed: int) -> Path:
    root = Path("results/runs")
    number = 1
    root.mkdir(parents=True, exist_ok=True)
    while True:
        folder = root / f"{name}-seed{seed}-{number}"
        try:
            folder.mkdir()  # at once, so that no other run takes the name meanwhile
        except FileExistsError:
            number += 1
        else:
            return folder


def diff_command(arguments: argparse.Namespace) -> int:
    """Say whether two runs should be equal, and where they first differ."""
    from testbed.engine.compare_runs import compare_runs  # noqa: PLC0415

    found = compare_runs(arguments.first, arguments.second)
    if arguments.json:
        print(json.dumps({"causes": found.causes, "differences": found.differences, "compared": found.compared}))
    else:
        for cause in found.causes:
            show(f"may differ by {cause}")
        for difference in found.differences:
            show(difference)
        equal = "equal" if not found.differences else f"{len(found.differences)} of {found.compared} files differ"
        wanted = "need not be equal" if found.causes else "should be equal"
        show(f"{equal}; by their fingerprints the runs {wanted}")
    return 1 if found.differences else 0


def report_command(arguments: argparse.Namespace) -> int:
    """Make the page and the figures of a run."""
    from testbed.report.page import write_report  # noqa: PLC0415

    written = write_report(
        arguments.run, arguments.output or arguments.run, even_if_invalid=arguments.even_if_invalid, tell=_note
    )
    for path in written:
        show(path)
    return 0


def detect_command(arguments: argparse.Namespace) -> int:
    """Print what detectors say, and keep it in the run directories."""
    from testbed.detectors.detect import (  # noqa: PLC0415
        detect,
        detection_rows_json,
        format_table,
        keep_verdicts,
        policing_rows_json,
    )
    from testbed.detectors.registry import shadowed_packages  # noqa: PLC0415

    files = [path for path in arguments.paths if not path.is_dir()]
    for sentence in shadowed_packages():
        _note(sentence)
    with reading_progress():
        if arguments.json and arguments.detector == ["pd"] and len(files) == len(arguments.paths):
            show(json.dumps(policing_rows_json(files, tell=_note)))
            return 0
        rows = detect(
            arguments.paths,
            arguments.detector,
            targets=arguments.target,
            controls=arguments.control,
            even_if_invalid=arguments.even_if_invalid,
            timeout_s=arguments.timeout,
        )
    for sentence in dict.fromkeys(note for row in rows for note in row.notes):
        _note(sentence)
    for run in (path for path in arguments.paths if path.is_dir()):
        try:
            keep_verdicts(run, rows)
        except RecordError as error:
            say(str(error))  # the verdicts are shown all the same
    show(json.dumps(detection_rows_json(rows)) if arguments.json else format_table(rows, everything=arguments.all))
    failed = {row.verdict.detector: row.verdict.why for row in rows if row.failed}
    for name, why in failed.items():
        say(f"testbed: {name}: {why}")
    return 1 if failed.keys() & set(arguments.detector) else 0


def observe_command(arguments: argparse.Namespace) -> int:
    """Print what a detector is given."""
    from testbed.detectors.marks import Marks  # noqa: PLC0415
    from testbed.detectors.observation_json import observation_to_json  # noqa: PLC0415
    from testbed.detectors.observe import observe  # noqa: PLC0415

    with reading_progress():
        observation = observe(
            arguments.paths,
            targets=arguments.target,
            controls=arguments.control,
            even_if_invalid=arguments.even_if_invalid,
        )
    Marks(arguments.target, arguments.control).check([observation])
    for sentence in observation.notes:
        _note(sentence)
    show(observation_to_json(observation))
    return 0


def _note(sentence: str) -> None:
    say(f"testbed: note: {sentence}")


def conformance_command(arguments: argparse.Namespace) -> int:
    """Try every published row on the middlebox."""
    from testbed.middlebox import conformance  # noqa: PLC0415
    from testbed.scenario.profiles import load_profile  # noqa: PLC0415

    rows = [row for row in conformance.ROWS if arguments.profile in {None, row.profile}]
    if not rows:
        raise ScenarioError(f"nothing was published about a profile {arguments.profile!r} that a box alone can show")
    findings = conformance.run(lambda name: load_profile(name).profile, rows)
    if arguments.output:
        try:
            arguments.output.write_text(conformance.as_markdown(findings))
        except OSError as error:
            raise InputError(
                f"cannot write {arguments.output}: {error.strerror}; choose another file with -o"
            ) from error
    show(json.dumps(conformance.as_json(findings)) if arguments.json else conformance.as_markdown(findings))
    return 1 if any(each.is_surprise for each in findings) else 0


def list_command(arguments: argparse.Namespace) -> int:
    """List what there is of a kind."""
    if arguments.kind == "detectors":
        from testbed.detectors.registry import detector_names  # noqa: PLC0415

        names = list(detector_names())
    elif arguments.kind == "evasions":
        from testbed.traffic.evasion import EVASIONS  # noqa: PLC0415

        names = list(EVASIONS)
    else:
        from testbed.scenario import library  # noqa: PLC0415

        names = library.names(arguments.kind)
    show(json.dumps(names) if arguments.json else "\n".join(names))
    return 0


def show_command(arguments: argparse.Namespace) -> int:
    """Show one thing by name."""
    from testbed.report.show import show as described  # noqa: PLC0415

    show(described(arguments.name, as_json=arguments.json))
    return 0


def schema_command(arguments: argparse.Namespace) -> int:
    """Print a JSON Schema."""
    from testbed.middlebox.profile.schema import profile_schema  # noqa: PLC0415
    from testbed.scenario.model import Scenario  # noqa: PLC0415

    schema = Scenario.model_json_schema() if arguments.kind == "scenario" else profile_schema()
    show(json.dumps(schema, indent=1))
    return 0


def inspect_command(arguments: argparse.Namespace) -> int:
    """Print what a censor would have done to a capture."""
    from testbed.report.show import inspection_lines  # noqa: PLC0415

    lines = inspection_lines(
        arguments.capture,
        arguments.profile,
        seed=arguments.seed,
        inside=arguments.inside,
        as_json=arguments.json,
        tell=_note,
    )
    with reading_progress():
        for line in lines:
            show(line)
    return 0


def kernel_command(arguments: argparse.Namespace) -> int:
    """Build the guest's kernel, or say what is built."""
    from testbed.engine.kernel import ensure_kernel, kernel_info  # noqa: PLC0415

    if arguments.action == "build":
        ensure_kernel(progress=say)
    info = kernel_info()
    facts = {
        "path": str(info.path) if info.path else None, "hash": info.hash, "version": info.version,
        "source": info.source, "size_bytes": info.size_bytes, "built": info.built, "options": len(info.options),
    }  # fmt: skip
    if arguments.json:
        show(json.dumps(facts))
    else:
        show(
            "\n".join(
                f"{name:11} {value if value is not None else 'not built: testbed kernel build'}"
                for name, value in facts.items()
            )
        )
    return 0


def doctor_command(arguments: argparse.Namespace) -> int:
    """Say what this machine has and lacks."""
    from testbed.doctor import diagnose, format_checks  # noqa: PLC0415

    checks = diagnose()
    if arguments.json:
        show(
            json.dumps(
                [
                    {name: getattr(check, name) for name in ("name", "ok", "found", "remedy", "required")}
                    for check in checks
                ]
            )
        )
    else:
        show(format_checks(checks))
    return 0 if all(check.ok or not check.required for check in checks) else 3
