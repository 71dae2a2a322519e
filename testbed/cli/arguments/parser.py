"""The arguments of every command, with help and examples."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.arguments.corpora import add_corpus
from testbed.cli.arguments.evading import add_evade
from testbed.cli.arguments.judging import add_detect, add_even_if_invalid, add_shrink, add_store, add_validate
from testbed.cli.arguments.labs import add_lab
from testbed.cli.arguments.runs import add_options_of_runs, add_shell, add_show, engines_with_terminal
from testbed.cli.arguments.values import count, instant, seed, seeds
from testbed.cli.arguments.words import Help, WordParser
from testbed.cli.commands.listing import KINDS
from testbed.cli.examples import EXAMPLES
from testbed.cli.version import Version

if TYPE_CHECKING:
    Adders = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it

__all__ = ["PROBE_NAMES", "make_parser"]

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
# Not asked of the registry of probes: what they import would make `testbed --help` slow. A test compares the two.
PROBE_NAMES = ("ttl", "domains", "fields", "timeout", "budget", "symmetry")
_LAST_PORT = 65_535
_RUN_EXAMPLES = """\
examples:
  testbed run 2021-03-10                                   the first day
  testbed run 2021-03-10 --set date=2021-03-11T09:00Z      *t.co* is exact by now: reddit.com is free
  testbed run 2021-03-10 --set network.parameters.box_after_hop=2
  testbed run 2021-03-10 --seed 1-30 --set "meter=token_bucket|coarse_refill"   60 runs, and one table
  testbed run 2021-spring --by-day -o spring               71 days, on all processors; goes on where it was stopped
  testbed run 2021-03-10 --twin                            and what each transfer would have been without a box
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


def make_parser() -> WordParser:
    """Return the parser of all commands; ``command`` names the function that carries one out."""
    parser = WordParser(
        prog="testbed",
        description="Replays throttling with real Linux TCP in virtual time, and knows the fate of every packet.",
        epilog=_EXAMPLES,
        formatter_class=Help,
    )
    parser.add_argument("--version", action=Version, nargs=0, help="print the version, and exit")
    as_argparse_has_it: argparse.ArgumentParser = parser
    adders = as_argparse_has_it.add_subparsers(metavar="COMMAND", required=True)
    _add_run(adders)
    _add_probe(adders)
    add_evade(adders)
    _add_report(adders)
    _add_table(adders)
    _add_diff(adders)
    add_detect(adders)
    add_validate(adders)
    add_shrink(adders)
    add_store(adders)
    add_corpus(adders)
    _add_list_and_show(adders)
    _add_inspect(adders)
    add_shell(adders)
    _add_demo(adders)
    add_lab(adders)
    _add_kernel(adders)
    _add_doctor(adders)
    for name, examples in EXAMPLES.items():  # here, so that no command can be added without examples
        command = adders.choices[name]
        command.epilog = "\n  ".join(["examples:", *examples])
        command.formatter_class = Help
    return parser


def _add_run(adders: Adders) -> None:
    run = adders.add_parser(
        "run",
        help="run a scenario",
        usage="testbed run [options] SCENARIO [-- COMMAND ...]",
        description="Run a scenario and print who was throttled. The run directory keeps ground truth, captures and "
        "measurements. With -- COMMAND, that program runs on the first line's client in place of the scenario's "
        "measurements; its exit status is passed through.",
        epilog=_RUN_EXAMPLES,
        formatter_class=Help,
    )
    add_options_of_runs(run)
    add_show(run)
    run.add_argument(
        "--seed",
        type=seeds,
        help="same seed, same captures, byte for byte (default: the scenario's); several, such as 1-30: a run for each",
    )
    run.add_argument(
        "--terminal",
        action="store_true",
        help=f"insist that the command gets this terminal; with --engine {engines_with_terminal()} it does where there "
        "is one (Ctrl-] ends the run)",
    )
    run.add_argument(
        "--twin",
        action="store_true",
        help="run it again with all boxes off, and tell of each transfer what it would have been (RUN/twin)",
    )
    run.add_argument(
        "--by-day",
        action="store_true",
        help="make a run of each day of the scenario's calendar (UTC), in folders of their own, and one table",
    )
    run.add_argument(
        "--jobs", type=count, metavar="N", help="of several runs, so many at once (default: one a processor)"
    )
    run.add_argument(
        "--only",
        metavar="NAME",
        help="of several runs, the one of this name, such as 2021-03-11; -: those whose names come on standard input",
    )
    run.add_argument("--line", metavar="NAME", help="the line that the command runs on (default: the scenario's first)")
    run.set_defaults(command="runs:run_command")


def _add_probe(adders: Adders) -> None:
    probe = adders.add_parser(
        "probe",
        help="find out what a censor does, as researchers did",
        description="Find out from a client what the censor on a line does, and print it beside what is configured. "
        "All connections are made in one run on the scenario's network, to its replay server; a client decides by its "
        "downloads alone. Exit status 1: the answer differs from the configuration.",
        epilog=_PROBE_EXAMPLES,
        formatter_class=Help,
    )
    probe.add_argument("probe", choices=PROBE_NAMES, metavar="PROBE")
    add_options_of_runs(probe)
    probe.add_argument("--seed", type=seed, help="same seed, same captures, byte for byte (default: the scenario's)")
    probe.add_argument("--line", help="the line to probe (default: the scenario's first)")
    probe.add_argument(
        "--sni", default="twitter.com", metavar="NAME", help="a name that is acted on (default: twitter.com)"
    )
    probe.add_argument("--names", type=Path, metavar="FILE", help="for domains: names to try, one a line")
    probe.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", dest="options", help="of the probe; repeatable"
    )
    probe.set_defaults(command="probes:probe_command", twin=False)


def _add_report(adders: Adders) -> None:
    report = adders.add_parser("report", help="make the HTML page and the figures of a run")
    report.add_argument("run", type=Path, help="a run directory")
    report.add_argument("-o", "--output", type=Path, metavar="DIR", help="where to write (default: the run directory)")
    add_even_if_invalid(report)
    report.set_defaults(command="reports:report_command", stopped="stopped; the report is not complete")


def _add_table(adders: Adders) -> None:
    table = adders.add_parser(
        "table",
        help="make one tidy table of runs: a row a transfer, with truth and verdicts",
        description="Make one tidy table of runs, for pandas, R or a spreadsheet: a row a transfer, with what was "
        "measured, the ground truth, and what detectors said. Rows of invalid runs have valid=false: leave them out "
        "of scores.",
    )
    table.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run directories")
    form = table.add_mutually_exclusive_group()
    for name in ("csv", "json", "parquet"):
        about = {"csv": " (default)", "parquet": "; needs pyarrow, and -o"}.get(name, "")
        form.add_argument(f"--{name}", dest="format", action="store_const", const=name, help=f"as {name}{about}")
    table.add_argument(
        "--count",
        action="append",
        default=[],
        metavar="TREATMENT=LABEL",
        dest="counts",
        help="how a treatment counts in truth_label, such as frozen=throttled (docs/reference/labels.md); repeatable",
    )
    table.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write (default: standard output)")
    table.set_defaults(command="tables:table_command", format="csv")


def _add_diff(adders: Adders) -> None:
    diff = adders.add_parser(
        "diff",
        help="say whether two runs should be equal, and where they first differ",
        description="Compare two run directories: what their bytes depend on, then records and captures. "
        "Exit status 1: they differ.",
    )
    diff.add_argument("first", type=Path, metavar="RUN", help="a run directory")
    diff.add_argument("second", type=Path, metavar="RUN", help="another")
    diff.add_argument("--json", action="store_true", help="print one JSON object")
    diff.set_defaults(command="diff:diff_command")


def _add_list_and_show(adders: Adders) -> None:
    listing = adders.add_parser("list", help="list scenarios, topologies, profiles, detectors, evasions or engines")
    listing.add_argument("kind", choices=KINDS)
    listing.add_argument("--json", action="store_true", help="print one JSON list")
    listing.set_defaults(command="listing:list_command")
    show = adders.add_parser(
        "show", help="show a scenario, topology, evasion, detector, or a profile with its evidence"
    )
    show.add_argument(
        "name", help="of any of these, or of a family of profiles; or the path of a scenario or a profile"
    )
    show.add_argument("--date", type=instant, help="of a family: the profile that is valid then, such as 2021-03-11")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    show.set_defaults(command="showing:show_command")
    check = adders.add_parser(
        "check",
        help="check scenarios, profiles, topologies and suites without running anything",
        description="Check files of scenarios, censor profiles, topologies and suites, or packaged ones by name: "
        "a line for each that is right, all errors of one that is not. Exit status 2: one is not.",
    )
    check.add_argument("files", nargs="+", metavar="FILE", help="a YAML file, a topology's .py, or a packaged name")
    check.add_argument("--json", action="store_true", help="print one JSON list")
    check.set_defaults(command="check:check_command")
    completion = adders.add_parser(
        "completion", help="print what lets a shell complete commands, options, names and files"
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    completion.set_defaults(command="showing:completion_command")
    schema = adders.add_parser("schema", help="print a JSON Schema, for editors that complete and check YAML")
    schema.add_argument("kind", choices=("scenario", "profile", "lab"))
    schema.set_defaults(command="showing:schema_command")


def _add_inspect(adders: Adders) -> None:
    inspect = adders.add_parser("inspect", help="what a censor would have done to a capture, packet by packet")
    inspect.add_argument("capture", type=Path, help="pcap or pcapng, plain, gzip or xz; - for standard input")
    inspect.add_argument("--profile", required=True, help="a profile, such as ru-tw-2021a")
    inspect.add_argument(
        "--inside", action="append", default=[], metavar="PREFIX", help="the subscriber's side; repeatable"
    )
    inspect.add_argument("--seed", type=seed, default=1, help="of what the box draws by lot (default: 1)")
    inspect.add_argument("--json", action="store_true", help="print one JSON object a line")
    inspect.set_defaults(
        command="captures:inspect_command", stopped="stopped; the capture has not been read to its end"
    )


def _add_demo(adders: Adders) -> None:
    demo = adders.add_parser(
        "demo",
        help="a page for a class: watch twitter.com slow down, guess why, find the box, get around it",
        description="Serve a page on this machine alone, and run what is chosen on it in the emulated network, in real "
        "time and without root. Ends with Ctrl-C.",
    )
    demo.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="recorded runs to show beside")
    demo.add_argument(
        "--from",
        type=Path,
        metavar="FILE",
        dest="pack",
        help="recorded runs from `testbed lab pack`: no guest is needed",
    )
    demo.add_argument("--export", type=Path, metavar="FOLDER", help="write the page with these runs as files, and end")
    demo.add_argument("--guess", action="store_true", help="recorded runs hide box and truth until Reveal is pressed")
    demo.add_argument("--address", default="127.0.0.1", help="to listen on (default: 127.0.0.1, this machine alone)")
    demo.add_argument("--port", type=_port, default=8021, help="0: any that is free (default: 8021)")
    demo.add_argument("--no-browser", action="store_true", help="do not open the page")
    demo.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="of the run directories (default: in results/runs/)"
    )
    demo.set_defaults(command="demo:demo_command")


def _add_kernel(adders: Adders) -> None:
    kernel = adders.add_parser("kernel", help="build the guest's kernel, or say what is built")
    kernel.add_argument("action", choices=("build", "info"))
    kernel.add_argument("--json", action="store_true", help="print one JSON object")
    kernel.set_defaults(command="machine:kernel_command")


def _add_doctor(adders: Adders) -> None:
    doctor = adders.add_parser("doctor", help="what is there, what is missing, and the command that mends it")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    doctor.add_argument(
        "--class", action="store_true", dest="for_class", help="one line: which labs work on this laptop"
    )
    doctor.add_argument("--csv", action="store_true", help="with --class: as a row of a table")
    doctor.add_argument("--name", default="", help="with --class: what to call this laptop (default: its host name)")
    doctor.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="with --class: add the line to this file, after those of others",
    )
    doctor.set_defaults(command="machine:doctor_command")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535, got {text!r}")
    return int(text)
