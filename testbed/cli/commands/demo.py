"""The classroom page: ``demo``."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import webbrowser
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.progress import note, say, show
from testbed.demo.recorded import export, site
from testbed.demo.server import DemoServer, is_loopback
from testbed.demo.session import Session
from testbed.engine.host_machine import guest_problem
from testbed.errors import InputError, MissingError

if TYPE_CHECKING:
    import argparse

__all__ = ["demo_command"]


def demo_command(arguments: argparse.Namespace) -> int:
    """Serve the page until somebody presses Ctrl-C."""
    recorded = _recorded(arguments)
    if arguments.export is not None:
        return _export(arguments)
    # Before a port is taken: a page whose only button cannot work is none.
    problem = guest_problem()
    if problem is not None and not recorded:
        raise MissingError(
            f"{problem}. The page plays recorded runs here: testbed demo --from labs.zip (made elsewhere with: "
            "testbed lab pack -o labs.zip), or testbed demo RUN with the folder of a run"
        )
    folder = arguments.output or Path("results/runs") / time.strftime("demo-%Y%m%dT%H%M%S")
    session = Session(folder)
    with DemoServer(session, address=arguments.address, port=arguments.port, recorded=recorded) as server:
        played = f"{server.url(server.pupil)}recorded/index.html"
        if problem is None:
            say(f"the page, for whoever leads:  {server.url(server.teacher)}")
            say(f"to look on and vote:          {server.url(server.pupil)}")
        else:
            say(f"testbed: {problem}; recorded runs are played")
        if recorded:
            say(f"recorded runs:                {played}")
        if not is_loopback(arguments.address):
            note(
                f"--address {arguments.address}: every machine that reaches this one can ask for the page; "
                "nothing is encrypted, and who sees the first address can start runs here"
            )
        if not arguments.no_browser:
            _open_browser(server.url(server.teacher) if problem is None else played)
        say("Ctrl-C ends the demonstration")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("ending")
        finally:
            session.close()
    return 0


def _recorded(arguments: argparse.Namespace) -> dict[str, bytes]:
    """Return the files of recorded runs: those of a pack, or of run directories."""
    if arguments.pack is None:
        return site(arguments.runs, is_guess=arguments.guess) if arguments.runs else {}
    if arguments.runs or arguments.export is not None:
        raise InputError("--from: it brings runs of its own; leave RUN and --export out")
    # Loaded for whoever asks: a server that runs all day does without what reads labs.
    recording = import_module("testbed.labs.recording")
    with contextlib.closing(recording.Pack(arguments.pack)) as pack:
        files: dict[str, bytes] = pack.demo()
        return files


def _export(arguments: argparse.Namespace) -> int:
    from testbed.demo.animation import animate  # noqa: PLC0415 - numpy and matplotlib, which serving does without

    for path in export(arguments.runs, arguments.export, is_guess=arguments.guess, animate=animate):
        show(path)
    return 0


def _open_browser(url: str) -> None:
    """Open the page in a browser with windows: one that draws in this terminal would take it over."""
    has_screen = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if not has_screen or not webbrowser.open(url):
        say("no browser could be opened; open the first address yourself")
