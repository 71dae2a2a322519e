"""Files checked without a run: ``check``. Suites are the command's own to check: scenarios know nothing of them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.progress import say, show
from testbed.engine.engine import DEFAULT_ENGINE
from testbed.errors import ScenarioError
from testbed.scenario import library
from testbed.scenario.check import check_file
from testbed.scenario.document import Document
from testbed.scenario.plan import make_plan
from testbed.validation.suite import PARTS, find_suite, load_suite, suite_names

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

__all__ = ["check_command"]


def check_command(arguments: argparse.Namespace) -> int:
    """Check files of all kinds; a line for each that is right, all errors of one that is not."""
    found: list[dict[str, object]] = []
    for name in arguments.files:
        try:
            checked = _checked(name)
        except ScenarioError as error:
            found.append({"file": name, "ok": False, "problems": str(error).splitlines()})
            if not arguments.json:
                say(f"testbed: {error}")
        else:
            found.append({"file": name, "ok": True, "problems": [], **checked})
            if not arguments.json:
                show(f"{name}: {checked['kind']} {checked['name']}: {checked['summary']}")
    if arguments.json:
        show(json.dumps(found))
    return 0 if all(each["ok"] for each in found) else ScenarioError.exit_status


def _checked(name: str) -> Mapping[str, str]:
    """Return what a file that is right is.

    Raises:
        ScenarioError: Everything that is wrong with it.
    """
    return _checked_suite(name) if _is_suite(name) else check_file(name, DEFAULT_ENGINE)._asdict()


def _is_suite(name: str) -> bool:
    path = Path(name)
    with contextlib.suppress(OSError):  # a name too long for a file, or in a folder that may not be entered
        if path.is_file():
            return path.suffix != ".py" and bool(set(Document.load(path).data) & {*PARTS, "frontiers"})
    return name in suite_names()


def _checked_suite(name: str) -> dict[str, str]:
    path = find_suite(name)
    suite = load_suite(path)
    problems = []
    for _, condition, asked in suite.conditions():
        settings = [f"{key}={value}" for key, value in asked.settings.items()]
        try:
            # The first draw of each: what others draw is checked when they are run.
            scenario = library.find("scenarios", asked.scenario)
            make_plan(scenario, settings, seed=1, engine=DEFAULT_ENGINE, command=None)
        except ScenarioError as error:
            problems.append(f"{path}: {condition}: {error}")
    if problems:
        raise ScenarioError("\n".join(problems))
    parts = ", ".join(f"{len(getattr(suite, part))} {part.replace('_', ' ')}" for part in PARTS)
    return {"kind": "suite", "name": path.stem, "summary": f"conditions: {parts}; {len(suite.frontiers)} frontiers"}
