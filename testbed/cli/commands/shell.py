"""The prompt inside the emulated network: ``shell``."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.commands.making import carry_out, new_run_folder
from testbed.cli.commands.runs import on_terminal, piped_input, tell_run
from testbed.cli.progress import Progress, say
from testbed.engine.engine import ENGINES
from testbed.engine.uml.keyboard import Keyboard
from testbed.errors import InputError
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from testbed.shell.conduct import Conduct
from testbed.shell.network import network_of
from testbed.shell.readers import Lines, Prompt
from testbed.shell.words import Start

if TYPE_CHECKING:
    import argparse

    from testbed.shell.network import Network

__all__ = ["shell_command"]

_SHELL = "/bin/sh"


def shell_command(arguments: argparse.Namespace) -> int:
    """Run a scenario's network in real time, and the programs that are named at a prompt."""
    path = library.find("scenarios", arguments.scenario)
    plan = make_plan(
        path, arguments.settings, seed=arguments.seed, engine=arguments.engine, command=["testbed", "shell"]
    )
    network = network_of(plan)
    plan = plan.as_shell(network.aliases)
    first = None if arguments.node is None else _shell_on(arguments.node, network)
    for folder in arguments.show:
        if not folder.exists():
            raise InputError(f"--show {folder}: there is no such file or folder")
    kernel = ENGINES[arguments.engine].prepare(say)
    folder = arguments.output or new_run_folder(f"{plan.name}-shell", plan.data["seed"])
    # What programs print on stdout is theirs; with --json it is not to be taken for the answer.
    progress = Progress(0, output=sys.stderr if arguments.json else sys.stdout)
    keyboard = Keyboard(0) if on_terminal() else None

    def tell(text: str) -> None:
        progress.clear()
        with contextlib.suppress(OSError):  # nobody listens any more: the commands go on, and are recorded
            say(text)

    def show(text: str) -> None:
        progress.show({"kind": "output", "stream": "stdout", "data": f"{text}\n".encode("utf-8", "backslashreplace")})

    conduct = Conduct(
        network=network,
        tell=tell,
        show=show,
        pass_on=progress.show,
        first=first,
        keyboard=keyboard,
        visible=arguments.show,
        stdin=piped_input() if first is not None and keyboard is None else None,
    )
    try:
        # Before there is a guest: the process of the prompt is a copy of this one.
        if first is None:
            conduct.reader = Prompt("testbed> ", network) if keyboard is not None else Lines(sys.stdin.fileno())
        manifest = carry_out(plan, kernel, folder, arguments, progress, shell=conduct)
    finally:
        conduct.move_out()
    of_run = tell_run(manifest, folder, progress, conduct.status, as_json=arguments.json, is_command=True)
    # A command that failed is what a script asks about; one that succeeded is worth nothing in an invalid run.
    return conduct.status or of_run


def _shell_on(name: str, network: Network) -> Start:
    """Return an ordinary shell on a node: the user's own, or else that of every machine."""
    node = network.find(name)
    if node is None:
        known = ", ".join([*network.aliases, *network.nodes])
        raise InputError(f"--node {name}: no such node in this scenario (there: {known})")
    own = os.environ.get("SHELL", "")
    shell = own if Path(own).is_absolute() and os.access(own, os.X_OK) else _SHELL
    return Start(node.name, (shell,), f"{name} {shell}")
