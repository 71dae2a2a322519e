"""One thing by its name, the schemas of files, and what shells are to know: ``show``, ``schema``, ``completion``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import shtab

from testbed.cli.arguments import make_parser
from testbed.cli.progress import show
from testbed.labs.lab import lab_schema
from testbed.report.show import show as described
from testbed.scenario.model import scenario_schema
from testbed.scenario.profile_schema import profile_schema

if TYPE_CHECKING:
    import argparse

__all__ = ["completion_command", "schema_command", "show_command"]


def show_command(arguments: argparse.Namespace) -> int:
    """Show one thing by name or path."""
    show(described(arguments.name, date=arguments.date, as_json=arguments.json))
    return 0


def schema_command(arguments: argparse.Namespace) -> int:
    """Print a JSON Schema."""
    schemas = {"scenario": scenario_schema, "profile": profile_schema, "lab": lab_schema}
    show(json.dumps(schemas[arguments.kind](), indent=1))
    return 0


def completion_command(arguments: argparse.Namespace) -> int:
    """Print a script that lets a shell complete our commands, options and file names."""
    show(shtab.complete(make_parser(), shell=arguments.shell))
    return 0
