"""Published rows tried on the middlebox: ``conformance``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed import conformance
from testbed.cli.progress import show
from testbed.errors import InputError, ScenarioError
from testbed.scenario.profiles import load_profile

if TYPE_CHECKING:
    import argparse

__all__ = ["conformance_command"]


def conformance_command(arguments: argparse.Namespace) -> int:
    """Try every published row on the middlebox."""
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
