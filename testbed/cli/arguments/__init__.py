"""The arguments of every command, with help and examples: a module for each group of commands."""

from __future__ import annotations

from testbed.cli.arguments.parser import PROBE_NAMES, make_parser

__all__ = ["PROBE_NAMES", "make_parser"]
