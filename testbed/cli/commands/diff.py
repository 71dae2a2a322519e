"""Two runs side by side: ``diff``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from testbed.cli.progress import show
from testbed.engine.judge.compare_runs import compare_runs

if TYPE_CHECKING:
    import argparse

__all__ = ["diff_command"]


def diff_command(arguments: argparse.Namespace) -> int:
    """Say whether two runs should be equal, and where they first differ."""
    found = compare_runs(arguments.first, arguments.second)
    if arguments.json:
        print(json.dumps(asdict(found)))
    else:
        for cause in found.causes:
            show(f"may differ by {cause}")
        for difference in found.differences:
            show(difference)
        if found.unseen and found.differences:
            show(f"may differ by what no fingerprint has: {found.unseen}")
        equal = "equal" if not found.differences else f"{len(found.differences)} of {found.compared} files differ"
        wanted = "need not be equal" if found.causes else "should be equal"
        show(f"{equal}; by their fingerprints the runs {wanted}")
    return 1 if found.differences else 0
