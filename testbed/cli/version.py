"""``testbed --version``: what a report of a bug has to say of the testbed and of where it runs."""

from __future__ import annotations

import argparse
import platform
from importlib import import_module
from typing import NoReturn

__all__ = ["Version"]


class Version(argparse.Action):
    """Prints the version, and what else a report of a bug should say."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print it, and end with status 0."""
        # Not loaded for every command: it reads the metadata of packages, and that takes a tenth of a second.
        version: str = import_module("importlib.metadata").version("throttling-testbed")
        print(f"testbed {version} (Python {platform.python_version()}, {platform.system()} {platform.machine()})")
        parser.exit()
