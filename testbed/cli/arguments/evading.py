"""The arguments of ``evade``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.arguments.values import count, instant

if TYPE_CHECKING:
    import argparse

    Adders = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it

__all__ = ["add_evade"]


def add_evade(adders: Adders) -> None:
    """Add the command."""
    evade = adders.add_parser(
        "evade",
        help="try every way past a box, before one censor after the other",
        description="Try each evasion before each censor, and beside it on a line without a box: a table of what it "
        "still gives. A way passes if it is at least 80 % as fast as without a box. One run for each censor.",
    )
    evade.add_argument("what", choices=("matrix",), help="a table of ways and censors")
    evade.add_argument(
        "--censor",
        action="append",
        metavar="NAME",
        help="a profile, or a family with --date; repeatable (default: ten)",
    )
    evade.add_argument(
        "--date", action="append", type=instant, metavar="DATE", help="a family's profile of that date; repeatable"
    )
    evade.add_argument(
        "--evasion", action="append", metavar="NAME", help="of `testbed list evasions`; repeatable (default: all)"
    )
    evade.add_argument(
        "--sni", metavar="NAME", help="the name in the hello (default: one that the profile's rules hit)"
    )
    evade.add_argument("--size", default="100 kB", metavar="SIZE", help="of each download (default: 100 kB)")
    evade.add_argument("--seed", type=count, metavar="N", help="same seed, same packets (default: 1)")
    evade.add_argument("--jobs", type=count, metavar="N", help="censors at once (default: one a processor)")
    evade.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="keep the run directories there")
    form = evade.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON list")
    form.add_argument("--csv", action="store_true", help="print a table with a row for each way and censor")
    evade.set_defaults(command="evading:evade_command")
