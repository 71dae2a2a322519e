"""What detectors say, and what they are given: ``detect`` and ``observe``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.cli.progress import note, reading_progress, say, show
from testbed.detectors.detect import detect
from testbed.detectors.outputs.policing_table import policing_rows_json
from testbed.detectors.outputs.rows import detection_rows_json, keep_verdicts
from testbed.detectors.outputs.text_table import format_table
from testbed.detectors.registry import shadowed_packages
from testbed.detectors.sources.marks import Marks
from testbed.detectors.sources.observation_json import observation_to_json
from testbed.detectors.sources.observe import observe
from testbed.errors import RecordError

if TYPE_CHECKING:
    import argparse

__all__ = ["detect_command", "observe_command"]


def detect_command(arguments: argparse.Namespace) -> int:
    """Print what detectors say, and keep it in the run directories."""
    files = [path for path in arguments.paths if not path.is_dir()]
    for sentence in shadowed_packages():
        note(sentence)
    with reading_progress():
        # Of captures alone, `pd` tells rows of its own: one a flow, as its authors' tool does.
        if arguments.json and arguments.detector == ["pd"] and len(files) == len(arguments.paths):
            show(json.dumps(policing_rows_json(files, tell=note)))
            return 0
        rows = detect(
            arguments.paths,
            arguments.detector,
            targets=arguments.target,
            controls=arguments.control,
            even_if_invalid=arguments.even_if_invalid,
            timeout_s=arguments.timeout,
        )
    for sentence in dict.fromkeys(each for row in rows for each in row.notes):
        note(sentence)
    for run in (path for path in arguments.paths if path.is_dir()):
        try:
            keep_verdicts(run, rows)
        except RecordError as error:
            say(str(error))  # the verdicts are shown all the same
    show(json.dumps(detection_rows_json(rows)) if arguments.json else format_table(rows, everything=arguments.all))
    # A detector that somebody asked for by name and that failed is an error; one of all is a row and a line on stderr.
    failed = {row.verdict.detector: row.verdict.why for row in rows if row.failed}
    for name, why in failed.items():
        say(f"testbed: {name}: {why}")
    return 1 if failed.keys() & set(arguments.detector) else 0


def observe_command(arguments: argparse.Namespace) -> int:
    """Print what a detector is given."""
    with reading_progress():
        observation = observe(
            arguments.paths,
            targets=arguments.target,
            controls=arguments.control,
            even_if_invalid=arguments.even_if_invalid,
        )
    # After all is read, since only then is it known whether a name matches anything.
    Marks(arguments.target, arguments.control).check([observation])
    for sentence in observation.notes:
        note(sentence)
    show(observation_to_json(observation))
    return 0
