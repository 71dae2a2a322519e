"""Files checked without a run: ``check``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.cli.progress import say, show
from testbed.engine.engine import DEFAULT_ENGINE
from testbed.errors import ScenarioError
from testbed.scenario.check import check_file

if TYPE_CHECKING:
    import argparse

__all__ = ["check_command"]


def check_command(arguments: argparse.Namespace) -> int:
    """Check scenarios, profiles and topologies; a line for each that is right, all errors of one that is not."""
    found: list[dict[str, object]] = []
    for name in arguments.files:
        try:
            checked = check_file(name, DEFAULT_ENGINE)
        except ScenarioError as error:
            found.append({"file": name, "ok": False, "problems": str(error).splitlines()})
            if not arguments.json:
                say(f"testbed: {error}")
        else:
            found.append({"file": name, "ok": True, "problems": [], **checked._asdict()})
            if not arguments.json:
                show(f"{name}: {checked.kind} {checked.name}: {checked.summary}")
    if arguments.json:
        show(json.dumps(found))
    return 0 if all(each["ok"] for each in found) else ScenarioError.exit_status
