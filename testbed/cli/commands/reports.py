"""The page and the figures of a run: ``report``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.cli.progress import note, show
from testbed.report.page import write_report

if TYPE_CHECKING:
    import argparse

__all__ = ["report_command"]


def report_command(arguments: argparse.Namespace) -> int:
    """Make the page and the figures of a run."""
    written = write_report(
        arguments.run, arguments.output or arguments.run, even_if_invalid=arguments.even_if_invalid, tell=note
    )
    for path in written:
        show(path)
    return 0
