"""Frozen corpora: ``corpus build``, ``score``, ``verify`` and ``fetch-from-file``."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from testbed.cli.progress import say, show
from testbed.detectors.registry import BUILT_IN, load_detector
from testbed.errors import InputError, InvalidRunError
from testbed.records.label import parse_counts
from testbed.report.job_summary import add_to_job_summary
from testbed.report.scores.junit import cases_of, junit
from testbed.report.scores.scoreboard import scoreboard
from testbed.validation.corpus.archive import Archive, write_archive
from testbed.validation.corpus.contents import read_index
from testbed.validation.corpus.judged import judged

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from testbed.validation.corpus.contents import Index
    from testbed.validation.scoring.scores import Scored

__all__ = ["build_command", "fetch_command", "score_command", "verify_command"]

_MANY = "-"
_FEW = 5
_CELLS_BETWEEN_LINES = 50


def build_command(arguments: argparse.Namespace) -> int:
    """Make the runs of a suite with all captures, and put them into one archive; return the exit status."""
    # What emulates is loaded by those who emulate alone: to judge a corpus, any platform will do.
    making = import_module("testbed.cli.commands.corpus_making")
    task = making.Task.of(arguments)
    if arguments.cell == _MANY:
        for answer in task.answers(sys.stdin):
            print(answer, flush=True)
        return 0
    failed: dict[str, str] = task.make()
    if failed:
        whys = "".join(f"; {cell}: {why}" for cell, why in list(failed.items())[:_FEW])
        raise InvalidRunError(f"{len(failed)} of {len(task.cells)} runs are missing, and nothing is written{whys}")
    index, members = task.contents(importlib.metadata.version("throttling-testbed"))
    write_archive(arguments.output, members)
    size = arguments.output.stat().st_size
    say(f"testbed: {len(index['cells'])} runs, {len(members)} files, {size / 1e6:.1f} MB in {arguments.output}")
    return 0


def score_command(arguments: argparse.Namespace) -> int:
    """Print how often detectors are right about a corpus; return 1 if one that was named failed."""
    names = tuple(dict.fromkeys(arguments.detector)) or BUILT_IN
    for name in names:
        # A name that is wrong is told before an archive of gigabytes is read.
        load_detector(name)
    counted = parse_counts(arguments.counts)
    with Archive(arguments.corpus) as archive:
        index = read_index(archive)
        found = list(judged(archive, index, names, counted=counted, timeout_s=arguments.timeout, progress=_say_how_far))
    lacking = sorted({"throttled", "not throttled"} - {each.label for each in found})
    if lacking:
        raise InvalidRunError(f"{arguments.corpus}: nothing can be scored: no line of it is {' or '.join(lacking)}")
    table = scoreboard(found, title=index["title"], notes=_notes(index, found))
    add_to_job_summary(table)
    if arguments.junit is not None:
        _write(arguments.junit, junit(index["title"], cases_of(found, [])))
    if arguments.output is not None:
        _write(arguments.output, table + "\n")
    if arguments.json:
        show(json.dumps([_plain(each) for each in found]))
    elif arguments.output is None:
        show(table)
    broken = [each for each in found if each.failed]
    for name in dict.fromkeys(each.detector for each in broken):
        own = [each for each in broken if each.detector == name]
        first = f"{own[0].cell}, line {own[0].line}: {own[0].verdict['why']}"
        say(f"testbed: {name} failed, which counts as inconclusive; lines: {len(own)}; {first}")
    return 1 if {each.detector for each in broken} & set(arguments.detector) else 0


def _notes(index: Index, found: Sequence[Scored]) -> list[str]:
    lines = len({(each.cell, each.line) for each in found})
    return [
        f"{lines} lines of {len(index['cells'])} runs, from a corpus of the suite `{index['suite']}`.",
        f"Held-out seeds are derived from `{index['held_out_seed']}`; whoever has the corpus can tune to them.",
    ]


def _plain(each: Scored) -> dict[str, object]:
    return {
        "part": each.part, "condition": each.condition, "cell": each.cell, "line": each.line,
        "detector": each.detector, "label": each.label, "outcome": each.outcome, "failed": each.failed,
        "verdict": each.verdict,
    }  # fmt: skip


def _say_how_far(done: int, count: int) -> None:
    if done and done % _CELLS_BETWEEN_LINES == 0:
        say(f"testbed: {done} of {count} runs judged")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another file") from error
    say(f"testbed: written to {path}")


def verify_command(arguments: argparse.Namespace) -> int:
    """Check every checksum of a corpus, and make some of its runs again.

    Returns:
        0; 1 if something differs; 3 if nothing could be compared, since other versions made the corpus.
    """
    with Archive(arguments.corpus) as archive:
        index = read_index(archive)
        size = archive.verify()
        show(f"checksums: right ({len(archive.names)} files, {size} bytes unpacked)")
        if not arguments.sample:
            show("runs made again: not checked (--sample 0)")
            return 0
        making = import_module("testbed.cli.commands.corpus_making")
        status: int = making.rebuild(archive, index, arguments.sample, arguments.cell)
        return status


def fetch_command(arguments: argparse.Namespace) -> int:
    """Unpack a corpus into a new folder, with every check made."""
    with Archive(arguments.corpus) as archive:
        index = read_index(archive)
        archive.unpack(arguments.output)
    say(f"testbed: {len(index['cells'])} runs in {arguments.output}; README.md says what is what")
    return 0
