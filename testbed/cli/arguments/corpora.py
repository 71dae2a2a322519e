"""The arguments of ``corpus``, which has commands of its own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.arguments.values import count, seconds
from testbed.validation.corpus.contents import CAPTURES

if TYPE_CHECKING:
    Adders = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it

__all__ = ["add_corpus"]


def add_corpus(adders: Adders) -> None:
    """Add the commands on frozen corpora."""
    corpus = adders.add_parser(
        "corpus",
        help="labelled observations of a suite in one archive: build it, score detectors on it, verify it",
        description="A frozen corpus holds the observations of a suite with their labels, captures, and the same "
        "measurements as OONI and ndt7 would have recorded them. To score a detector on one, nothing is run.",
    )
    commands = corpus.add_subparsers(metavar="WHAT", required=True)
    _add_build(commands)
    _add_score(commands)
    verify = commands.add_parser("verify", help="check every file, and make some of the runs again")
    verify.add_argument("corpus", type=Path, metavar="FILE", help="a corpus")
    verify.add_argument("--sample", type=_sample, default=3, metavar="N", help="runs to make again (default: 3)")
    verify.add_argument("--cell", metavar="ID", help="the run to make again, such as policed/3")
    verify.set_defaults(command="corpus:verify_command", stopped="stopped; nothing is known of the corpus")
    fetch = commands.add_parser("fetch-from-file", help="unpack a corpus into a new folder, with every check made")
    fetch.add_argument("corpus", type=Path, metavar="FILE", help="a corpus")
    fetch.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="a folder that is not there yet")
    fetch.set_defaults(command="corpus:fetch_command", stopped="stopped; the folder was not made")


def _add_build(commands: Adders) -> None:
    build = commands.add_parser("build", help="make the runs of a suite, and put them into one archive")
    build.add_argument("suite", help="a packaged suite (testbed list suites), or a YAML file")
    build.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the archive (ZIP) to write")
    build.add_argument(
        "--captures", choices=CAPTURES, default="headers",
        help="what is kept of packets: nothing, headers (default), or all, with the keys that decrypt them",
    )  # fmt: skip
    build.add_argument("--jobs", type=count, metavar="N", help="runs at once (default: one a processor)")
    build.add_argument("--store", type=Path, metavar="DIR", help="where runs are kept (default: a cache)")
    build.add_argument(
        "--held-out-seed", metavar="TEXT", help="held-out seeds are derived from it (default: the testbed's commit)"
    )
    build.add_argument("--cell", help=argparse.SUPPRESS)  # of the processes that make runs
    build.set_defaults(
        command="corpus:build_command", stopped="stopped; the same command again makes the runs that are missing"
    )


def _add_score(commands: Adders) -> None:
    score = commands.add_parser("score", help="how often detectors are right about a corpus; nothing is run")
    score.add_argument("corpus", type=Path, metavar="FILE", help="a corpus")
    score.add_argument(
        "--detector", action="append", default=[], metavar="NAME",
        help="a detector, or exec:PROGRAM; repeatable (default: the testbed's)",
    )  # fmt: skip
    score.add_argument(
        "--timeout", type=seconds, default=60.0, metavar="SECONDS", help="what a program may take for one observation"
    )
    score.add_argument(
        "--count", action="append", default=[], metavar="TREATMENT=LABEL", dest="counts",
        help="how a treatment counts, such as frozen=throttled (docs/reference/labels.md); repeatable",
    )  # fmt: skip
    score.add_argument("--junit", type=Path, metavar="FILE", help="write a test case for every verdict, for CI systems")
    score.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the table as Markdown")
    score.add_argument("--json", action="store_true", help="print every verdict with its label")
    score.set_defaults(command="corpus:score_command", stopped="stopped before all verdicts were there")


def _sample(text: str) -> int:
    return 0 if text == "0" else count(text)
