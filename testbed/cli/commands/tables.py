"""One tidy table of many runs: ``table``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.cli.progress import show
from testbed.records.label import parse_counts
from testbed.report.tidy import tidy_rows, write_table

if TYPE_CHECKING:
    import argparse

__all__ = ["table_command"]


def table_command(arguments: argparse.Namespace) -> int:
    """Print or write the table."""
    text = write_table(tidy_rows(arguments.runs, parse_counts(arguments.counts)), arguments.format, arguments.output)
    if text is not None:
        show(text.rstrip("\n"))
    return 0
