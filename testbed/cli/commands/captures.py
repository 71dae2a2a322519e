"""A capture read as a censor would have: ``inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.cli.progress import note, reading_progress, show
from testbed.report.inspection import inspection_lines

if TYPE_CHECKING:
    import argparse

__all__ = ["inspect_command"]


def inspect_command(arguments: argparse.Namespace) -> int:
    """Print what a censor would have done to a capture."""
    lines = inspection_lines(
        arguments.capture,
        arguments.profile,
        seed=arguments.seed,
        inside=arguments.inside,
        as_json=arguments.json,
        tell=note,
    )
    with reading_progress():
        for line in lines:
            show(line)
    return 0
