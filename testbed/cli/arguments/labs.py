"""The arguments of ``lab``, which has commands of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.arguments.values import seed

if TYPE_CHECKING:
    import argparse

    Adders = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it

__all__ = ["add_lab"]

_PROBES = ("ttl", "domains", "timeout", "symmetry", "budget")


def add_lab(adders: Adders) -> None:
    """Add the commands on labs."""
    lab = adders.add_parser(
        "lab",
        help="labs for a class: begin one, try things, have the answers graded",
        description="Labs for a class. Each student gets a folder with hidden conditions of their own, and an answer "
        "sheet; `testbed lab check` grades it without telling the answers (docs/labs/).",
    )
    commands = lab.add_subparsers(metavar="WHAT", required=True)
    listing = commands.add_parser("list", help="the labs that there are, and what each needs")
    listing.add_argument("--json", action="store_true", help="print one JSON list")
    listing.set_defaults(command="lab:list_command")
    _add_start(commands)
    _add_try(commands)
    _add_check(commands)
    _add_pack(commands)


def _add_start(commands: Adders) -> None:
    start = commands.add_parser("start", help="make a student's folder")
    _add_lab_and_key(start)
    start.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="a new folder (default: lab-N)")
    start.add_argument(
        "--student", default="", metavar="NAME", help="whose folder it is; the conditions are drawn from it"
    )
    start.add_argument("--seed", type=seed, help="draw the conditions from this (default: from the name, or by lot)")
    start.set_defaults(command="lab:start_command", stopped="stopped; remove the folder and begin again")


def _add_lab_and_key(command: argparse.ArgumentParser) -> None:
    command.add_argument("lab", metavar="N", help="a lab's number or name (testbed lab list), or the folder of one")
    command.add_argument(
        "--from", type=Path, metavar="FILE", dest="pack", help="recordings from `testbed lab pack`, in place of a guest"
    )
    command.add_argument(
        "--key", type=Path, metavar="FILE", help="a teacher's secret: without it nobody can work the conditions out"
    )


def _add_try(commands: Adders) -> None:
    attempt = commands.add_parser(
        "try",
        help="run something against the hidden condition of a case, and see what its client sees",
        description="Run something against the hidden condition of a case. What the client saw is printed, and kept in "
        "the folder. Needs a guest.",
    )
    attempt.add_argument("folder", type=Path, metavar="FOLDER", help="a folder that `testbed lab start` made")
    attempt.add_argument("--lab", metavar="N", help="the folder of a lab that is not packaged")
    attempt.add_argument("--case", default="A", help="(default: A)")
    what = attempt.add_mutually_exclusive_group(required=True)
    what.add_argument("--evade", metavar="NAME", help="bring a hello past the box in this way (testbed list evasions)")
    what.add_argument("--probe", choices=_PROBES, help="ask the box something, as `testbed probe` does")
    attempt.add_argument("--names", type=Path, metavar="FILE", help="for the probe domains: names to try, one a line")
    attempt.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", dest="options", help="of the probe; repeatable"
    )
    attempt.add_argument(
        "--sni", default="twitter.com", metavar="NAME", help="a name that is acted on (default: twitter.com)"
    )
    attempt.add_argument("--key", type=Path, metavar="FILE", help="as at the start")
    attempt.set_defaults(command="lab:try_command", stopped="stopped; nothing of this try is kept")


def _add_check(commands: Adders) -> None:
    check = commands.add_parser(
        "check",
        help="grade a student's folder",
        description="Grade the answers in a student's folder. Exit status 0: all points; 1: not all; 2: bad input.",
    )
    _add_lab_and_key(check)
    check.add_argument("folder", type=Path, metavar="FOLDER", help="the student's")
    check.add_argument("--student", metavar="NAME", help="refuse the folder if it was not made for this student")
    check.add_argument("--question", metavar="NAME", help="grade one question alone")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.add_argument("--junit", type=Path, metavar="FILE", help="write a test case for each question (xunit2)")
    check.add_argument("--gradescope", type=Path, metavar="FILE", help="write Gradescope's results.json")
    check.set_defaults(command="lab:check_command")


def _add_pack(commands: Adders) -> None:
    pack = commands.add_parser(
        "pack",
        help="make the recordings of labs, for machines on which no guest runs",
        description="Make all recordings of labs in a guest, and put them into one file. Labs begin from it on any "
        "platform: testbed lab start 1 --from FILE.",
    )
    pack.add_argument("labs", nargs="*", metavar="N", help="labs (default: all that can be done from recordings)")
    pack.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the file (ZIP) to write")
    pack.set_defaults(
        command="lab:pack_command", stopped="stopped; what was recorded is kept, the same command goes on"
    )
