"""The command line: parses, calls, prints. No logic of its own.

Results go to stdout, progress and messages to stderr. Exit statuses: 0 done; 1 found or failed; 2 usage or bad input;
3 something is missing on this machine; 4 invalid run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

os.environ.setdefault("SETUPTOOLS_USE_DISTUTILS", "stdlib" if sys.version_info < (3, 12) else "local")

from testbed.errors import InputError, RecordError, ScenarioError, TestbedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

__all__ = ["main"]

_RUN_KEYS = ("valid", "seed", "emulated_s", "wall_s")
_TRANSFER_KEYS = (
    "name", "line", "sni", "direction", "role", "ok", "bytes", "duration_s", "goodput_bps", "handshake_s", "throttled",
    "rule", "drops", "error", "published",
)  # fmt: skip
_SECONDS_BETWEEN_LINES = 2.0  # of progress, where there is no terminal to rewrite a line on
_EXAMPLES = """\
examples:
  testbed run scenarios/history/2021-03-10.yaml
  testbed run 2021-03-10 --set date=2021-03-11T09:00Z --seed 7
  testbed run 2021-03-10 --set meter=coarse_refill -o my-run --json
  testbed run 2021-03-10 -- curl -sSo /dev/null https://twitter.com/383000.bin
  testbed report my-run
  testbed probe ttl 2021-03-10
  testbed show ru-tw-2021a
  testbed doctor
"""
_RUN_EXAMPLES = """\
examples:
  testbed run 2021-03-10                                   the first day
  testbed run 2021-03-10 --set date=2021-03-11T09:00Z      *t.co* is exact by now: reddit.com is free
  testbed run 2021-03-10 --set network.parameters.box_after_hop=2
  testbed run 2021-03-10 --engine realtime                 the same kernel at the pace of the wall clock
  testbed run 2021-03-10 -- ./my-detector --out /run/output/verdict.json
"""
_PROBE_EXAMPLES = """\
probes:
  ttl        between which hops the box stands: hellos that die at one hop after the other
  domains    which names are acted on: a built-in list, or --names FILE
  fields     which bytes of a hello must be right: bit inversion, recursively halving
  timeout    how long an idle flow is remembered, by bisection   (options: longest, precision)
  budget     how many more packets are looked at, over many flows (options: flows, most)
  symmetry   whether it matters who opens the connection and who sends the hello

examples:
  testbed probe ttl 2021-03-10 --set network.parameters.box_after_hop=2
  testbed probe domains 2021-03-10 --set date=2021-04-03 --names my-names.txt
  testbed probe timeout 2021-03-10 --set censors.tspu=ru-tw-2022-III --option precision='0.5 s'
  testbed probe budget 2021-03-10 --line landline --option flows=40 --seed 7
  testbed probe symmetry 2021-03-10 --json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    given = list(sys.argv[1:] if argv is None else argv)
    at = given.index("--") if "--" in given else len(given)
    arguments = _parser().parse_args(given[:at])
    arguments.user_command = given[at + 1 :]
    if at < len(given) and arguments.command is not _run:
        print("testbed: only 'testbed run' takes a command after --", file=sys.stderr)
        return 2
    try:
        status: int = arguments.command(arguments)
        sys.stdout.flush()
    except TestbedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("testbed: stopped; what was recorded is kept and marked incomplete", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:
        _forget_output()
        return 1
    except OSError as error:
        print(f"testbed: {error}", file=sys.stderr)
        _forget_output()
        return 1
    return status


def _forget_output() -> None:
    """Let what standard output did not take go nowhere; Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="testbed",
        description="Replays throttling with real Linux TCP in virtual time, and knows the fate of every packet.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(commands)
    _add_probe(commands)
    _add_report(commands)
    _add_detect(commands)
    _add_list_and_show(commands)
    _add_inspect(commands)
    _add_kernel(commands)
    doctor = commands.add_parser("doctor", help="what is there, what is missing, and the command that mends it")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    doctor.set_defaults(command=_doctor)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="run a scenario",
        usage="testbed run [options] SCENARIO [-- COMMAND ...]",
        description="Run a scenario and print who was throttled. The run directory keeps ground truth, captures and "
        "measurements. With -- COMMAND, that program runs on the first line's client in place of the scenario's "
        "measurements; its exit status is passed through.",
        epilog=_RUN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_options_of_runs(run)
    run.set_defaults(command=_run)


def _add_probe(commands: Any) -> None:
    probe = commands.add_parser(
        "probe",
        help="find out what a censor does, as researchers did",
        description="Find out from a client what the censor on a line does, and print it beside what is configured. "
        "All connections are made in one run on the scenario's network, to its replay server; a client decides by its "
        "downloads alone. Exit status 1: the answer differs from the configuration.",
        epilog=_PROBE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    probe.add_argument("probe", choices=("ttl", "domains", "fields", "timeout", "budget", "symmetry"), metavar="PROBE")
    _add_options_of_runs(probe)
    probe.add_argument("--line", help="the line to probe (default: the scenario's first)")
    probe.add_argument(
        "--sni", default="twitter.com", metavar="NAME", help="a name that is acted on (default: twitter.com)"
    )
    probe.add_argument("--names", type=Path, metavar="FILE", help="for domains: names to try, one a line")
    probe.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", dest="options", help="of the probe; repeatable"
    )
    probe.set_defaults(command=_probe)


def _add_options_of_runs(run: argparse.ArgumentParser) -> None:
    run.add_argument("scenario", help="a scenario file, or the name of a packaged one")
    run.add_argument("--seed", type=_seed, help="same seed, same captures, byte for byte (default: the scenario's)")
    run.add_argument("--engine", choices=("virtual", "realtime"), default="virtual", help="default: virtual")
    run.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help="change a value; repeatable"
    )
    run.add_argument("-o", "--output", type=Path, metavar="DIR", help="run directory (default: in results/runs/)")
    run.add_argument("--json", action="store_true", help="print one JSON object")
    run.add_argument(
        "--watchdog",
        type=_seconds,
        default=120.0,
        metavar="SECONDS",
        help="end a guest that is silent for so long (default: 120)",
    )


def _add_report(commands: Any) -> None:
    report = commands.add_parser("report", help="make the HTML page and the figures of a run")
    report.add_argument("run", type=Path, help="a run directory")
    report.add_argument("-o", "--output", type=Path, metavar="DIR", help="where to write (default: the run directory)")
    report.set_defaults(command=_report)


def _add_detect(commands: Any) -> None:
    detect = commands.add_parser("detect", help="what throttling detectors say of runs, captures and measurements")
    observe = commands.add_parser("observe", help="write what a detector is given, as JSON, for use elsewhere")
    for command in (detect, observe):
        command.add_argument(
            "paths",
            nargs="+",
            type=Path,
            metavar="RUN_OR_PCAP",
            help="run directories, captures, CSV, OONI or ndt7 JSON",
        )
        command.add_argument(
            "--target",
            action="append",
            default=[],
            metavar="NAME",
            help="server name or file that may be throttled; repeatable",
        )
        command.add_argument(
            "--control", action="append", default=[], metavar="NAME", help="one that is not; repeatable"
        )
    detect.add_argument(
        "--detector",
        action="append",
        default=[],
        metavar="NAME",
        help="a detector, or exec:PROGRAM; repeatable (default: all)",
    )
    detect.add_argument("--all", action="store_true", help="list detectors that can judge none of it, too")
    detect.add_argument("--json", action="store_true", help="print one JSON list")
    detect.set_defaults(command=_detect)
    observe.set_defaults(command=_observe)
    conformance = commands.add_parser("conformance", help="try every published row on the middlebox")
    conformance.add_argument("--profile", help="only the rows of this profile")
    conformance.add_argument("--json", action="store_true", help="print one JSON list")
    conformance.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the table as Markdown")
    conformance.set_defaults(command=_conformance)


def _add_list_and_show(commands: Any) -> None:
    listing = commands.add_parser("list", help="list scenarios, topologies, profiles, detectors or evasions")
    listing.add_argument("kind", choices=("scenarios", "topologies", "profiles", "detectors", "evasions"))
    listing.add_argument("--json", action="store_true", help="print one JSON list")
    listing.set_defaults(command=_list)
    show = commands.add_parser("show", help="show a scenario, a topology, an evasion, or a profile with its evidence")
    show.add_argument("name")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    show.set_defaults(command=_show)
    schema = commands.add_parser("schema", help="print a JSON Schema, for editors that complete and check YAML")
    schema.add_argument("kind", choices=("scenario", "profile"))
    schema.set_defaults(command=_schema)


def _add_inspect(commands: Any) -> None:
    inspect = commands.add_parser("inspect", help="what a censor would have done to a capture, packet by packet")
    inspect.add_argument("capture", type=Path, help="pcap or pcapng")
    inspect.add_argument("--profile", required=True, help="a profile, such as ru-tw-2021a")
    inspect.add_argument(
        "--inside", action="append", default=[], metavar="PREFIX", help="the subscriber's side; repeatable"
    )
    inspect.add_argument("--seed", type=_seed, default=1, help="of what the box draws by lot (default: 1)")
    inspect.add_argument("--json", action="store_true", help="print one JSON object a line")
    inspect.set_defaults(command=_inspect)


def _add_kernel(commands: Any) -> None:
    kernel = commands.add_parser("kernel", help="build the guest's kernel, or say what is built")
    kernel.add_argument("action", choices=("build", "info"))
    kernel.add_argument("--json", action="store_true", help="print one JSON object")
    kernel.set_defaults(command=_kernel)


def _seed(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) < 1 << 63:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 2**63 - 1, got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, got {text!r}")
    return seconds


def _run(arguments: argparse.Namespace) -> int:
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
    )
    ensure_kernel(progress=_say)
    folder = arguments.output or _new_run_folder(plan.name, plan.data["seed"])
    progress = _Progress(len(plan.transfers))
    manifest = run_plan(plan, kernel_info(), folder, silence_s=arguments.watchdog, progress=progress.show)
    progress.clear()
    if arguments.user_command:
        _pass_output_on(folder)
    if arguments.json:
        transfers = [
            {key: transfer[key] for key in _TRANSFER_KEYS if key in transfer} for transfer in manifest["transfers"]
        ]
        print(json.dumps({"run": str(folder), **{key: manifest[key] for key in _RUN_KEYS}, "transfers": transfers}))
    elif not arguments.user_command:
        print(transfer_table(manifest))
        print(f"run directory: {folder} (testbed report {folder})")
    return _status(manifest, int(manifest["certificate"].get("command_status", 0)))


def _probe(arguments: argparse.Namespace) -> int:
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
    ensure_kernel(progress=_say)
    folder = arguments.output or _new_run_folder(f"{plan.name}-probe-{arguments.probe}", plan.data["seed"])
    progress = _Progress(len(plan.transfers))
    manifest = run_plan(plan, kernel_info(), folder, silence_s=arguments.watchdog, progress=progress.show)
    progress.clear()
    result = compare(plan, read_findings(plan, folder))
    if arguments.json:
        run = {key: manifest[key] for key in _RUN_KEYS}
        print(json.dumps({"run": str(folder), **run, **result.as_json()}))
    else:
        print(probe_table(result))
        print(f"run directory: {folder}")
    return _status(manifest, 0 if result.agrees else 1)


def _status(manifest: dict[str, Any], status: int) -> int:
    """The status of a valid run; that of an invalid one, after saying why."""
    if manifest["valid"]:
        return status
    for problem in manifest["problems"]:
        _say(f"invalid run: {problem}")
    return 4


def _new_run_folder(name: str, seed: int) -> Path:
    root = Path("results/runs")
    number = 1
    while (folder := root / f"{name}-seed{seed}-{number}").exists():
        number += 1
    return folder


def _pass_output_on(folder: Path) -> None:
    for name, stream in (("command.stdout", sys.stdout), ("command.stderr", sys.stderr)):
        stream.flush()
        stream.buffer.write((folder / name).read_bytes())
        stream.flush()


def _report(arguments: argparse.Namespace) -> int:
    from testbed.report.page import write_report  # noqa: PLC0415

    for path in write_report(arguments.run, arguments.output or arguments.run):
        print(path)
    return 0


def _detect(arguments: argparse.Namespace) -> int:
    from testbed.detectors.detect import (  # noqa: PLC0415
        detect,
        detection_rows_json,
        format_table,
        keep_verdicts,
        policing_rows_json,
    )

    files = [path for path in arguments.paths if not path.is_dir()]
    if arguments.json and arguments.detector == ["pd"] and len(files) == len(arguments.paths):
        print(json.dumps(policing_rows_json(files)))
        return 0
    rows = detect(arguments.paths, arguments.detector, targets=arguments.target, controls=arguments.control)
    for run in (path for path in arguments.paths if path.is_dir()):
        try:
            keep_verdicts(run, rows)
        except RecordError as error:
            _say(str(error))  # the verdicts are shown all the same
    print(json.dumps(detection_rows_json(rows)) if arguments.json else format_table(rows, everything=arguments.all))
    return 0


def _observe(arguments: argparse.Namespace) -> int:
    from testbed.detectors.observation_json import observation_to_json  # noqa: PLC0415
    from testbed.detectors.observe import observe  # noqa: PLC0415

    print(observation_to_json(observe(arguments.paths, targets=arguments.target, controls=arguments.control)))
    return 0


def _conformance(arguments: argparse.Namespace) -> int:
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
    print(json.dumps(conformance.as_json(findings)) if arguments.json else conformance.as_markdown(findings))
    return 0 if all(each.agrees for each in findings) else 1


def _list(arguments: argparse.Namespace) -> int:
    if arguments.kind == "detectors":
        from testbed.detectors.registry import detector_names  # noqa: PLC0415

        names = list(detector_names())
    elif arguments.kind == "evasions":
        from testbed.traffic.evasion import EVASIONS  # noqa: PLC0415

        names = list(EVASIONS)
    else:
        from testbed.scenario import library  # noqa: PLC0415

        names = library.names(arguments.kind)
    print(json.dumps(names) if arguments.json else "\n".join(names))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from testbed.report.show import show  # noqa: PLC0415

    print(show(arguments.name, as_json=arguments.json))
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    from testbed.middlebox.profile.schema import profile_schema  # noqa: PLC0415
    from testbed.scenario.model import Scenario  # noqa: PLC0415

    schema = Scenario.model_json_schema() if arguments.kind == "scenario" else profile_schema()
    print(json.dumps(schema, indent=1))
    return 0


def _inspect(arguments: argparse.Namespace) -> int:
    from testbed.report.show import inspection_lines  # noqa: PLC0415

    for line in inspection_lines(
        arguments.capture, arguments.profile, seed=arguments.seed, inside=arguments.inside, as_json=arguments.json
    ):
        print(line)
    return 0


def _kernel(arguments: argparse.Namespace) -> int:
    from testbed.engine.kernel import ensure_kernel, kernel_info  # noqa: PLC0415

    if arguments.action == "build":
        ensure_kernel(progress=_say)
    info = kernel_info()
    facts = {
        "path": str(info.path) if info.path else None, "hash": info.hash, "version": info.version,
        "source": info.source, "size_bytes": info.size_bytes, "built": info.built, "options": len(info.options),
    }  # fmt: skip
    if arguments.json:
        print(json.dumps(facts))
    else:
        print(
            "\n".join(
                f"{name:11} {value if value is not None else 'not built: testbed kernel build'}"
                for name, value in facts.items()
            )
        )
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from testbed.doctor import diagnose, format_checks  # noqa: PLC0415

    checks = diagnose()
    if arguments.json:
        print(
            json.dumps(
                [
                    {name: getattr(check, name) for name in ("name", "ok", "found", "remedy", "required")}
                    for check in checks
                ]
            )
        )
    else:
        print(format_checks(checks))
    return 0 if all(check.ok or not check.required for check in checks) else 3


def _say(text: str) -> None:
    print(text, file=sys.stderr)


class _Progress:
    """One line on a terminal, rewritten; a line now and then elsewhere."""

    def __init__(self, transfers: int) -> None:
        self._transfers = transfers
        self._done = 0
        self._now = ""
        self._began = time.monotonic()
        self._said = 0.0
        self._is_terminal = sys.stderr.isatty()

    def show(self, message: dict[str, Any]) -> None:
        """Show a message of the guest."""
        wall = time.monotonic() - self._began
        if "what" in message:
            self._write(f"[{wall:5.1f} s] {message['what']}", wall)
        elif message["kind"] in {"progress", "alive"}:
            self._done += message.get("state") == "ends"
            if message.get("state") == "begins":
                self._now = message["transfer"]
            done = f"{self._done}/{self._transfers} transfers done, now {self._now}"
            if self._is_terminal or wall - self._said >= _SECONDS_BETWEEN_LINES:
                self._write(f"[{wall:5.1f} s] emulated {message['t']:6.1f} s, {done}", wall)

    def _write(self, text: str, wall: float) -> None:
        self._said = wall
        if self._is_terminal:
            print(f"\r\033[K{text[:110]}", end="", file=sys.stderr, flush=True)
        else:
            _say(text)

    def clear(self) -> None:
        """Leave the terminal as it was."""
        if self._is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
