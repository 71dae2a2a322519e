"""Shrinking: the simplest scenario on which a detector is still wrong in the same way.

A scenario is a tree of keys and lists. Each try leaves something out of it or makes a value plainer, runs what is left,
and keeps it if the label and the wrong answer are the same. What is left out first is what is largest: so does
Hypothesis's shrinker with its examples (MacIver and Donaldson, ECOOP 2020), and delta debugging before it (Zeller and
Hildebrandt, IEEE TSE 28, 2002).
"""

from __future__ import annotations

import copy
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from testbed.scenario import library
from testbed.scenario.document import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Shrunk", "document_of", "shrink", "simpler"]

Tree = dict[str, Any]
Key = tuple[str | int, ...]

_KEPT: Final = {"format", "title", "about"}  # words about the scenario, which change nothing
_NUMBER: Final = re.compile(r"(-?\d+(?:\.\d+)?)(\s*[A-Za-z%/]*)")
_SMALLER: Final = ("size", "repeat", "parallel", "flows", "pause")
_DRAWN: Final = re.compile(r"(uniform|loguniform|lognormal|choice)\(.*\)")


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What is left of a scenario.

    Attributes:
        tree: It, as YAML reads it.
        tries: How many were run.
        steps: What was left out or made plainer, in order.
        finished: Whether nothing more could be; if not, there were no more tries.
    """

    tree: Tree
    tries: int
    steps: tuple[str, ...]
    finished: bool


def document_of(scenario: str, settings: Sequence[str]) -> Tree:
    """Return a scenario with settings as a tree.

    Raises:
        ScenarioError: It cannot be used.
    """
    document = Document.load(library.find("scenarios", scenario))
    for setting in settings:
        document.set(setting)
    tree: Tree = copy.deepcopy(document.data)
    return tree


def shrink(
    tree: Tree,
    drawn: Mapping[str, Any],
    still_wrong: Callable[[str], bool | None],
    *,
    tries: int,
    progress: Callable[[str], None],
) -> Shrunk:
    """Make a scenario simpler as long as it stays wrong.

    Args:
        tree: The scenario.
        drawn: What was drawn for its distributions, by dotted key.
        still_wrong: Runs a scenario, as YAML; None: it is none, which costs no try.
        tries: Runs at most.
        progress: Called with what has been left out.
    """
    steps: list[str] = []
    made, refused = 0, set()
    again = True
    while again:
        again = False
        for what, candidate in simpler(tree, drawn):
            text = yaml.safe_dump(candidate, sort_keys=False)
            if text in refused:
                continue  # it was tried in an earlier round, and nothing that it depends on has changed
            if made >= tries:
                return Shrunk(tree, made, tuple(steps), finished=False)
            refused.add(text)
            wrong = still_wrong(text)
            made += wrong is not None
            if wrong:
                progress(f"{what} ({made} runs)")
                steps.append(what)
                tree, again = candidate, True
                break  # from the top: what is largest goes first
    return Shrunk(tree, made, tuple(steps), finished=True)


def simpler(tree: Tree, drawn: Mapping[str, Any]) -> Iterator[tuple[str, Tree]]:
    """Yield what is one step simpler than a scenario, with the step in words, the largest steps first."""
    places = sorted(_places(tree), key=len)
    for key in places:
        if key[0] not in _KEPT:
            yield f"without {_dotted(key)}", _without(tree, key)
    for key in places:
        value = _at(tree, key)
        if isinstance(value, str) and _DRAWN.fullmatch(value) and _dotted(key) in drawn:
            yield f"{_dotted(key)} as it was drawn", _with(tree, key, drawn[_dotted(key)])
    for key in places:
        for plainer in _plainer(key, _at(tree, key)):
            yield f"{_dotted(key)}: {plainer}", _with(tree, key, plainer)


def _places(value: object, at: Key = ()) -> Iterator[Key]:
    """Yield the key of everything in a tree."""
    items: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    for name, inner in items:
        yield (*at, name)
        yield from _places(inner, (*at, name))


def _plainer(key: Key, value: object) -> Iterator[object]:
    """Yield plainer values in place of one: fewer digits, and less of what can be less."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return
    found = _NUMBER.fullmatch(str(value))
    if found is None:
        return
    number, unit = float(found.group(1)), found.group(2)
    candidates = [float(f"{number:.{digits}g}") for digits in (1, 2)]
    if key[-1] in _SMALLER and number > 1:
        candidates.insert(0, float(math.ceil(number / 2)))
    for candidate in dict.fromkeys(candidates):
        if candidate != number:
            # Whole numbers stay whole: a count of 3.0 is no count.
            text = f"{candidate:.12g}{unit}"
            yield text if isinstance(value, str) else type(value)(candidate)


def _at(tree: object, key: Key) -> object:
    for name in key:
        tree = tree[name]  # type: ignore[index]  # a key of this tree
    return tree


def _without(tree: Tree, key: Key) -> Tree:
    made = copy.deepcopy(tree)
    del _at(made, key[:-1])[key[-1]]  # type: ignore[attr-defined]  # a key of this tree
    return made


def _with(tree: Tree, key: Key, value: object) -> Tree:
    made = copy.deepcopy(tree)
    _at(made, key[:-1])[key[-1]] = value  # type: ignore[index]  # a key of this tree
    return made


def _dotted(key: Key) -> str:
    return ".".join(map(str, key))
