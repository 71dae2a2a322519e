"""One thing by its name, the schemas of files, and what shells are to know: ``show``, ``schema``, ``completion``."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

from testbed.cli.arguments import make_parser
from testbed.cli.completion import script
from testbed.cli.progress import show

if TYPE_CHECKING:
    import argparse

__all__ = ["completion_command", "schema_command", "show_command"]

_SCHEMAS = {
    "scenario": "testbed.scenario.model:scenario_schema",
    "profile": "testbed.scenario.profile_schema:profile_schema",
    "lab": "testbed.labs.lab:lab_schema",
}


def show_command(arguments: argparse.Namespace) -> int:
    """Show one thing by name or path."""
    described = import_module("testbed.report.show").show
    show(described(arguments.name, date=arguments.date, as_json=arguments.json))
    return 0


def schema_command(arguments: argparse.Namespace) -> int:
    """Print a JSON Schema."""
    # That of labs can be had on any platform; the others know the guest's topologies.
    module, _, function = _SCHEMAS[arguments.kind].partition(":")
    show(json.dumps(getattr(import_module(module), function)(), indent=1))
    return 0


def completion_command(arguments: argparse.Namespace) -> int:
    """Print a script that lets a shell complete our commands, options, names and files."""
    show(script(make_parser(), arguments.shell))
    return 0
