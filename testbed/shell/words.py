"""A line that was typed, and what it asks for; what Tab may complete it to. Pure: nothing is done here."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.shell.network import Network, Node

__all__ = [
    "HELP", "BoxLog", "Exit", "Nothing", "Problem", "Request", "Show", "Start", "Stop", "completions", "parse_line",
]  # fmt: skip

HELP = """\
NODE COMMAND        run a program on a node: client curl -sSo /dev/null https://twitter.com/383000.bin
                    the rest of the line is sh's, so | > && and quotes work; names of nodes and sites resolve
NODE COMMAND &      run it beside: origin iperf3 -s &
jobs, stop NUMBER   what runs beside; end it (a second stop ends what does not listen)
box log [N|all]     the last 20 things that the boxes saw and did, or N of them (NODE log: of one box)
nodes, links        the network
exit [STATUS]       end the run and write it down (Ctrl-D too); the status is the last command's
Tab completes names. Ctrl-C interrupts the command that runs; Ctrl-] kills it."""

_WORDS = ("nodes", "links", "jobs", "stop", "help", "exit")
_LOGGED = 20  # lines of a box's log, where nobody says how many
_LAST_STATUS = 255
_NAMES_NOBODY = 127  # what a shell says of a program that is not there
_USAGE = 2


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty line, or a comment."""


@dataclass(frozen=True, slots=True)
class Show:
    """Something to be shown: help, nodes, links or jobs."""

    what: str


@dataclass(frozen=True, slots=True)
class BoxLog:
    """What boxes did: of some, and the last so many lines; None: all."""

    boxes: tuple[str, ...]
    most: int | None


@dataclass(frozen=True, slots=True)
class Start:
    """A program on a node.

    Attributes:
        node: Its name in the topology.
        argv: What is run.
        text: As it was typed.
        is_beside: The next line does not wait for its end.
    """

    node: str
    argv: tuple[str, ...]
    text: str
    is_beside: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """End what runs beside, by its number."""

    number: int


@dataclass(frozen=True, slots=True)
class Exit:
    """End the shell; None: with the last command's status."""

    status: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that cannot be understood: why, and the status that it ends with."""

    about: str
    status: int = _USAGE


Request = Nothing | Show | BoxLog | Start | Stop | Exit | Problem


def parse_line(line: str, network: Network) -> Request:
    """Return what a line asks for."""
    word, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    if not word or word.startswith("#"):
        return Nothing()
    if "\0" in line:
        return Problem("a line cannot have a character of number 0")
    if word == "box" and not network.boxes:
        return Problem("no box stands on any line of this scenario", status=1)
    # Nodes go first: a scenario may call one as this shell calls a thing of its own.
    node = network.find(word)
    return _own(word, rest, network) if node is None else _on_node(node, word, rest, network)


def _on_node(node: Node, word: str, rest: str, network: Network) -> Request:
    """Return what a line asks for that begins with a node."""
    if not rest or rest == "&":
        return Problem(f"{word} what? For example: {_example(word, node.role)}")
    if node.role == "box" and rest.split(maxsplit=1)[0] == "log":
        boxes = network.boxes if word == "box" else (node.name,)
        return _log(boxes, rest.split()[1:])
    # As sh would take it: an & that belongs to && or is quoted ends no command.
    is_beside = rest.endswith("&") and not rest.endswith(("&&", "\\&"))
    text = rest[:-1].rstrip() if is_beside else rest
    return Start(node.name, ("/bin/sh", "-c", text), f"{word} {rest}", is_beside)


def _own(word: str, rest: str, network: Network) -> Request:
    """Return what a line asks for that begins with no node."""
    words = rest.split()
    if word in {"help", "?", "nodes", "links", "jobs"}:
        return Show("help" if word == "?" else word) if not words else Problem(f"{word} stands alone, got {rest!r}")
    if word in {"exit", "quit"}:
        return _exit(words)
    if word == "stop":
        if len(words) == 1 and _is_number(words[0]):
            return Stop(int(words[0]))
        return Problem(f"stop: expected the number of what runs beside (jobs lists them), got {rest!r}")
    near = get_close_matches(word, [*network.nodes, *network.aliases, *_WORDS], n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return Problem(f"{word!r} is no node and no word of this shell{meant} (help, nodes)", status=_NAMES_NOBODY)


def _exit(words: list[str]) -> Request:
    if not words:
        return Exit()
    if len(words) > 1 or not _is_number(words[0]) or int(words[0]) > _LAST_STATUS:
        return Problem(f"exit: expected one number from 0 to {_LAST_STATUS}, got {' '.join(words)!r}")
    return Exit(int(words[0]))


def _log(boxes: tuple[str, ...], words: list[str]) -> Request:
    if not words:
        return BoxLog(boxes, _LOGGED)
    if words == ["all"]:
        return BoxLog(boxes, None)
    if len(words) > 1 or not _is_number(words[0]) or int(words[0]) == 0:
        return Problem(f"log: expected a number of lines from 1 on, or all, got {' '.join(words)!r}")
    return BoxLog(boxes, int(words[0]))


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= len("999999999")


def _example(word: str, role: str) -> str:
    return {"box": f"{word} log", "client": f"{word} ping -c 3 origin"}.get(role, f"{word} ip address")


def completions(before: str, text: str, network: Network) -> list[str]:
    """Return what a word may become.

    Args:
        before: The line up to the word.
        text: The word as far as it was typed.
        network: Whose names there are.
    """
    names = [*network.aliases, *network.nodes]
    words = before.split()
    if not words:
        found = [*names, *_WORDS]
    else:
        node = network.find(words[0])
        if node is None:
            return []
        found = [*names, *network.sites]
        if node.role == "box" and len(words) == 1:
            found = ["log", *found]
    return sorted({name for name in found if name.startswith(text)})
