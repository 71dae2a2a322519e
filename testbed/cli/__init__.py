"""The command line: parses, calls, prints.

Results go to stdout, progress and messages to stderr. Exit statuses: 0 done; 1 found or failed; 2 usage or bad input;
3 something is missing on this machine; 4 invalid run.
"""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

os.environ.setdefault("SETUPTOOLS_USE_DISTUTILS", "stdlib" if sys.version_info < (3, 12) else "local")

from testbed.cli.arguments import make_parser
from testbed.cli.progress import say
from testbed.engine.host_machine import NO_GUEST_MODULES, require_host_machine
from testbed.errors import InputError, TestbedError
from testbed.plain_text import in_fewer_characters

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from types import FrameType

__all__ = ["main"]

_TAKES_A_COMMAND = "runs:run_command"
# Beside SIGINT, for which Python does the same. Windows has only the first; corpora can be judged there.
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup asks for that
            signal.signal(number, _interrupt)
    codecs.register_error(in_fewer_characters.__name__, in_fewer_characters)
    _open_closed_streams()  # before anything opens a file, which would get the number of a closed stream
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=in_fewer_characters.__name__)  # not every terminal has every character
    arguments = None
    try:
        arguments = _read(sys.argv[1:] if argv is None else argv)
        status = _function(arguments.command)(arguments)
        sys.stdout.flush()
    except TestbedError as error:
        say(f"testbed: {error}")
        return error.exit_status
    except KeyboardInterrupt as interrupt:
        stopped = getattr(arguments, "stopped", "stopped")
        say(f"testbed: {stopped}")
        return 128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)
    except BrokenPipeError:  # `testbed list … | head`: the reader has enough, which is no error of ours to tell
        _forget_output()
        return 128 + signal.Signals["SIGPIPE"] if hasattr(signal, "SIGPIPE") else 1
    except OSError as error:
        say(f"testbed: {error}")
        _forget_output()
        return 1
    return status


def _read(words: Sequence[str]) -> argparse.Namespace:
    """Return what the words of a command line ask for.

    Raises:
        InputError: A command stands behind -- where none is taken.
    """
    # argparse would take options behind -- for its own where they look alike: what is the command's is cut off first.
    at = words.index("--") if "--" in words else len(words)
    arguments = make_parser().parse_words(list(words[:at]))
    arguments.user_command = list(words[at + 1 :])
    if at < len(words) and arguments.command != _TAKES_A_COMMAND:
        raise InputError("only 'testbed run' takes a command after --")
    return arguments


def _function(name: str) -> Callable[[argparse.Namespace], int]:
    """Return the function ``module:function`` of `testbed.cli.commands`.

    Raises:
        MissingError: It is of no use on this platform.
    """
    module, _, attribute = name.partition(":")
    try:
        loaded = import_module(f"testbed.cli.commands.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in NO_GUEST_MODULES:
            require_host_machine("this command")
        raise
    function: Callable[[argparse.Namespace], int] = getattr(loaded, attribute)
    return function


def _open_closed_streams() -> None:
    """Let a stream that the caller closed lead nowhere, before a file of ours takes its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _forget_output() -> None:
    """Let what standard output did not take go nowhere; Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(number)
