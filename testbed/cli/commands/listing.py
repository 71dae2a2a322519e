"""The names of what there is: ``list``."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

from testbed.cli.progress import show
from testbed.scenario import library

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

__all__ = ["KINDS", "list_command", "names_of"]

# What is asked of code rather than of files, and where: imported when asked for, since detectors take long to load.
_REGISTRIES = {
    "detectors": "testbed.detectors.registry:detector_names",
    "evasions": "testbed.traffic.evasion:EVASIONS",
    "suites": "testbed.validation.suite:suite_names",
    "engines": "testbed.engine.engine:ENGINES",
}
KINDS = ("scenarios", "topologies", "profiles", *_REGISTRIES)


def list_command(arguments: argparse.Namespace) -> int:
    """List what there is of a kind."""
    names = names_of(arguments.kind)
    show(json.dumps(names) if arguments.json else "\n".join(names))
    return 0


def names_of(kind: str) -> list[str]:
    """Return the names of what there is of one of `KINDS`."""
    if kind not in _REGISTRIES:
        return library.names(kind)
    module, _, attribute = _REGISTRIES[kind].partition(":")
    found: Iterable[str] | Callable[[], Iterable[str]] = getattr(import_module(module), attribute)
    # A registry is a mapping by name, or a function where other packages add to it.
    return list(found() if callable(found) else found)
