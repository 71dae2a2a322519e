"""The arguments of the commands that judge: ``detect``, ``observe``, ``conformance`` and ``validate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.arguments.values import count, days, seconds

if TYPE_CHECKING:
    import argparse

    Adders = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it

__all__ = ["add_detect", "add_even_if_invalid", "add_shrink", "add_store", "add_validate"]


def add_detect(adders: Adders) -> None:
    """Add the commands that judge what is there."""
    detect = adders.add_parser("detect", help="what throttling detectors say of runs, captures and measurements")
    observe = adders.add_parser("observe", help="write what a detector is given, as JSON, for use elsewhere")
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
        add_even_if_invalid(command)
    detect.add_argument(
        "--detector",
        action="append",
        default=[],
        metavar="NAME",
        help="a detector, or exec:PROGRAM; repeatable (default: all)",
    )
    detect.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="what an exec: program may take for one observation (default: 60)",
    )
    detect.add_argument("--all", action="store_true", help="list detectors that can judge none of it, too")
    detect.add_argument("--json", action="store_true", help="print one JSON list")
    detect.set_defaults(command="judging:detect_command", stopped="stopped before there were verdicts; none was kept")
    observe.set_defaults(command="judging:observe_command", stopped="stopped before all was read")
    conformance = adders.add_parser("conformance", help="try every published row on the middlebox")
    conformance.add_argument("--profile", help="only the rows of this profile")
    conformance.add_argument("--json", action="store_true", help="print one JSON list")
    conformance.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the table as Markdown")
    conformance.set_defaults(command="conformance:conformance_command")


def add_validate(adders: Adders) -> None:
    """Add the command that scores detectors."""
    validate = adders.add_parser(
        "validate",
        help="how often detectors are right: run a suite of conditions, and score every verdict",
        description="Make the runs of a suite that are not there yet, let detectors judge them, and print how often "
        "each is right, the held-out conditions first. Stopped at any moment, it goes on where it was. Exit status 4: "
        "a run is missing or must not be scored.",
    )
    validate.add_argument("suite", help="a packaged suite (testbed list suites), or a YAML file")
    validate.add_argument(
        "--detector",
        action="append",
        default=[],
        metavar="NAME",
        help="a detector, exec:PROGRAM, or 'run:PROGRAM {target} {control}' that measures by itself; repeatable",
    )
    validate.add_argument("--jobs", type=count, metavar="N", help="runs at once (default: one a processor)")
    validate.add_argument(
        "--store", type=Path, metavar="DIR", help="where runs and verdicts are kept (default: a cache)"
    )
    validate.add_argument(
        "--held-out-seed", metavar="TEXT", help="held-out seeds are derived from it (default: the testbed's commit)"
    )
    validate.add_argument(
        "--count", action="append", default=[], metavar="TREATMENT=LABEL", dest="counts",
        help="how a treatment counts, such as frozen=throttled (docs/reference/labels.md); repeatable",
    )  # fmt: skip
    validate.add_argument(
        "--retry", choices=("invalid", "failed"),
        help="make runs anew: those that must not be scored, or ask detectors anew that failed",
    )  # fmt: skip
    validate.add_argument(
        "--scheduler", metavar="ADDRESS", help="have runs made by the workers of a Dask scheduler (tcp://HOST:PORT)"
    )
    validate.add_argument(
        "--baseline", metavar="FILE_OR_COMMIT",
        help="compare with what detectors said before: a baseline's file, or the detectors of a commit",
    )  # fmt: skip
    validate.add_argument("--write-baseline", type=Path, metavar="FILE", help="write what detectors say as a baseline")
    validate.add_argument(
        "--gates", type=Path, metavar="FILE", help="a TOML file with [tool.testbed.gates] (default: pyproject.toml)"
    )
    validate.add_argument(
        "--stop-early", action="store_true", help="make no more runs once every bound of the gates is decided"
    )
    validate.add_argument(
        "--frontier", action="store_true", help="find where on the suite's axes each detector finds half, too"
    )
    what = validate.add_mutually_exclusive_group()
    what.add_argument("--plan", action="store_true", help="print one JSON object for each run, and make none")
    what.add_argument(
        "--cell",
        metavar="ID",
        help="make and judge one run, such as policed/3; -: those that are read from standard input",
    )
    what.add_argument("--explain", metavar="ID", help="what is true of one run, and what each detector said")
    validate.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the table as Markdown")
    validate.add_argument(
        "--needed", action="store_true", help="find how many seconds and bytes each detector needs, too: takes minutes"
    )
    validate.add_argument(
        "--figures", type=Path, metavar="DIR", help="draw a map of detectors and conditions, ROC curves, and frontiers"
    )
    validate.add_argument(
        "--junit", type=Path, metavar="FILE", help="write a test case for every verdict, for CI systems"
    )
    validate.add_argument("--json", action="store_true", help="print every verdict with its label")
    validate.set_defaults(
        command="validation:validate_command", stopped="stopped; the same command again makes the runs that are missing"
    )


def add_shrink(adders: Adders) -> None:
    """Add the command that makes a failing run simpler."""
    shrink = adders.add_parser(
        "shrink",
        help="the simplest scenario on which a detector is still wrong",
        description="Take a run of a suite on which a detector is wrong, and leave out of its scenario all that the "
        "detector does not need to be wrong: lines, traffic, impairments, repetitions, digits. Written: scenario.yaml, "
        "and a run of it with captures.",
    )
    shrink.add_argument("suite", help="a packaged suite, or a YAML file")
    shrink.add_argument("cell", help="a run of it, such as far-control/3 (validate --explain shows one)")
    shrink.add_argument("--detector", required=True, metavar="NAME", help="the detector, or exec:PROGRAM")
    shrink.add_argument("--tries", type=count, default=60, metavar="N", help="runs at most (default: 60)")
    shrink.add_argument("--store", type=Path, metavar="DIR", help="where runs are kept (default: a cache)")
    shrink.add_argument(
        "--held-out-seed", metavar="TEXT", help="held-out seeds are derived from it (default: the testbed's commit)"
    )
    shrink.add_argument("-o", "--output", type=Path, metavar="DIR", help="a new folder (default: shrunk-CELL)")
    shrink.set_defaults(command="shrinking:shrink_command", stopped="stopped; nothing was written")


def add_store(adders: Adders) -> None:
    """Add the command that looks after kept runs and verdicts."""
    store = adders.add_parser("store", help="what kept runs and verdicts take, what can go, whether they are whole")
    store.add_argument("what", choices=("du", "gc", "verify"), help="du: sizes; gc: remove what is not used; verify")
    store.add_argument("--store", type=Path, metavar="DIR", help="the folder (default: a cache)")
    store.add_argument(
        "--unused-days", type=days, default=30.0, metavar="DAYS", help="gc: what nobody has read so long (default: 30)"
    )
    store.add_argument("--dry-run", action="store_true", help="gc: count, and remove nothing")
    store.set_defaults(command="store:store_command")


def add_even_if_invalid(command: argparse.ArgumentParser) -> None:
    """Add the option to look at runs that must not be scored."""
    command.add_argument(
        "--even-if-invalid",
        action="store_true",
        help="look at a run that is invalid, not complete or changed, and say so",
    )
