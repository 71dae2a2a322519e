"""The arguments that all commands have which make runs, and those of ``shell``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.arguments.values import seconds, seed, size
from testbed.engine.engine import DEFAULT_ENGINE, ENGINES

if TYPE_CHECKING:
    from collections.abc import Sequence

    Adders = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it

__all__ = ["add_options_of_runs", "add_shell", "add_show", "engines_with_terminal"]

# Below the first the guest does not boot; the second is more than any machine that runs it has.
_LEAST_MEMORY_MIB, _MOST_MEMORY_MIB = 128, 1 << 18


def add_shell(adders: Adders) -> None:
    """Add the command ``shell``."""
    shell = adders.add_parser(
        "shell",
        help="a prompt inside the emulated network, in real time: client curl …, client ping origin, box log",
        description="Start a scenario's network at the pace of the wall clock and run programs on its nodes, as they "
        "are typed, or read from a pipe, one a line. The end (exit, Ctrl-D) is that of a run: captures, log and "
        "certificate are written down. The exit status is that of the last command.",
    )
    engines = [name for name, engine in ENGINES.items() if engine.has_terminal]
    add_options_of_runs(shell, engines)
    add_show(shell)
    shell.add_argument("--seed", type=seed, help="of what the network draws by lot (default: the scenario's)")
    shell.add_argument("--node", metavar="NODE", help="an ordinary shell on this node, in place of the prompt")
    shell.set_defaults(command="shell:shell_command", twin=False)


def add_options_of_runs(run: argparse.ArgumentParser, engines: Sequence[str] = tuple(ENGINES)) -> None:
    """Add what every command has that makes runs; ``engines``: those that it can be made with."""
    run.set_defaults(stopped="stopped before anything was recorded")
    run.add_argument("scenario", help="a scenario file, or the name of a packaged one")
    about = "; ".join(f"{name}: {ENGINES[name].summary}" for name in engines)
    default = DEFAULT_ENGINE if DEFAULT_ENGINE in engines else engines[0]
    run.add_argument("--engine", choices=engines, default=default, help=f"{about} (default: {default})")
    run.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help="change a value; repeatable"
    )
    run.add_argument("-o", "--output", type=Path, metavar="DIR", help="run directory (default: in results/runs/)")
    run.add_argument("--json", action="store_true", help="print one JSON object")
    run.add_argument(
        "--memory",
        type=_memory_mib,
        metavar="SIZE",
        help="of the guest, such as 2048 MiB (default: what the plan needs)",
    )
    run.add_argument(
        "--watchdog",
        type=seconds,
        default=120.0,
        metavar="SECONDS",
        help="end a guest that is silent for so long (default: 120)",
    )


def add_show(run: argparse.ArgumentParser) -> None:
    """Add what shows private folders to a command."""
    run.add_argument(
        "--show",
        action="append",
        default=[],
        type=Path,
        metavar="FOLDER",
        help="a private folder (in a home, or a temporary one) that the command may read; repeatable",
    )


def engines_with_terminal() -> str:
    """Return the engines with which somebody can sit before a command, in words."""
    return " or ".join(name for name, engine in ENGINES.items() if engine.has_terminal)


def _memory_mib(text: str) -> int:
    size_bytes = size(text)
    if not _LEAST_MEMORY_MIB <= size_bytes >> 20 <= _MOST_MEMORY_MIB:
        raise argparse.ArgumentTypeError(f"expected {_LEAST_MEMORY_MIB} MiB to {_MOST_MEMORY_MIB} MiB, got {text!r}")
    return size_bytes >> 20
