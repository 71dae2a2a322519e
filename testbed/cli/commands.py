"""What each command does: calls, and prints. No logic of its own.

Imports stand where they are needed, so that `testbed --help` is quick.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.cli.progress import reading_progress, say, show
from testbed.engine.engine import ENGINES
from testbed.errors import InputError, RecordError, ScenarioError

if TYPE_CHECKING:
    import argparse

__all__ = [
    "conformance_command",
    "detect_command",
    "diff_command",
    "doctor_command",
    "inspect_command",
    "kernel_command",
    "list_command",
    "observe_command",
    "report_command",
    "schema_command",
    "show_command",
]


def diff_command(arguments: argparse.Namespace) -> int:
    """Say whether two runs should be equal, and where they first differ."""
    from testbed.engine.judge.compare_runs import compare_runs  # noqa: PLC0415

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
    from testbed.detectors.detect import detect  # noqa: PLC0415
    from testbed.detectors.outputs.policing_table import policing_rows_json  # noqa: PLC0415
    from testbed.detectors.outputs.rows import detection_rows_json, keep_verdicts  # noqa: PLC0415
    from testbed.detectors.outputs.text_table import format_table  # noqa: PLC0415
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
    from testbed.detectors.sources.marks import Marks  # noqa: PLC0415
    from testbed.detectors.sources.observation_json import observation_to_json  # noqa: PLC0415
    from testbed.detectors.sources.observe import observe  # noqa: PLC0415

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
    from testbed import conformance  # noqa: PLC0415
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
    elif arguments.kind == "engines":
        names = list(ENGINES)
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
