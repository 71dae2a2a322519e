"""Profiles as they are written: values with their grade of evidence and source. Pure functions on plain data.

A leaf is a mapping with ``value``, ``grade`` and ``source`` (and perhaps ``note``); an item of ``rules`` carries
``grade`` and ``source`` beside its own keys. A file may have a grade, and a source, for all its leaves that have none:
these may then be bare. A null takes a key out of what a profile is based on. Grades, from best to worst: `GRADES`.
Not for: reading files; judging values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.scenario.document import Key

__all__ = ["GRADES", "Statement", "is_section", "plain_values", "statements", "with_default_grade"]

GRADES = ("published", "secondary", "unverified", "assumption")
"""published: stated in, or read off a figure of, the source; secondary: press, forum, notes of others; unverified:
believed to be published, the primary text was not read again; assumption: not public, our choice."""

_EVIDENCE = frozenset({"grade", "source", "note"})
# Names of things, and what the file says of its values: no claims about the world.
_UNGRADED = frozenset({"name", "family", "summary", "based_on", "grade", "source"})
_ABOUT_THE_FILE = frozenset({"based_on", "grade", "source"})


class Statement(NamedTuple):
    """One value of a profile and what it rests on."""

    key: str
    value: object
    grade: str
    source: str
    note: str


def is_section(node: object) -> bool:
    """Return whether a mapping holds keys of a profile, not a value with its evidence."""
    return isinstance(node, dict) and not {"value", "grade"} & node.keys()


def plain_values(graded: Mapping[str, object]) -> dict[str, object]:
    """Return the values alone, as `testbed.scenario.censor` reads them. What is null is as good as not there."""
    return {key: _plain(node) for key, node in graded.items() if key not in _ABOUT_THE_FILE and not _is_null(node)}


def _plain(node: object) -> object:
    if isinstance(node, dict):
        if "value" in node:
            return node["value"]
        return {key: _plain(each) for key, each in node.items() if key not in _EVIDENCE and not _is_null(each)}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return node


def _is_null(node: object) -> bool:
    return node is None or (isinstance(node, dict) and "value" in node and node["value"] is None)


def with_default_grade(written: dict[str, object]) -> tuple[dict[str, object], list[tuple[Key, str]]]:
    """Return a file's data with its default grade at every leaf that has none, and what is wrong with that grade.

    It is done file by file, before files that are based on each other are merged: each has a default of its own.
    """
    grade, source = written.get("grade"), written.get("source", "")
    if grade is None:
        return written, [] if "source" not in written else [(("source",), "a source for the whole file needs a grade")]
    problem = _grade_problem(grade, source)
    # One wrong default would be as many problems as the file has leaves; it is told once, and stands for none of them.
    evidence: dict[str, object] = {"grade": "assumption"} if problem else {"grade": grade, "source": source}
    filled = {key: node if key in _UNGRADED else _filled(node, evidence) for key, node in written.items()}
    return filled, [] if problem is None else [(("grade",), problem)]


def _filled(node: object, evidence: dict[str, object]) -> object:
    """A node with the file's grade at each of its leaves that has none. A leaf's own grade has its own source."""
    if node is None or (isinstance(node, dict) and "grade" in node):
        return node
    if isinstance(node, dict):
        return evidence | node if "value" in node else {key: _filled(each, evidence) for key, each in node.items()}
    if isinstance(node, list) and any(isinstance(item, dict) for item in node):
        return [evidence | item if isinstance(item, dict) and "grade" not in item else item for item in node]
    return {**evidence, "value": node}


def statements(graded: Mapping[str, object]) -> tuple[list[Statement], list[tuple[Key, str]]]:
    """Return every value with its evidence, in the order of the file, and what is wrong with the evidence."""
    found: list[Statement] = []
    problems: list[tuple[Key, str]] = []
    for key, node in graded.items():
        if key not in _UNGRADED:
            _collect((key,), node, found, problems)
    return found, problems


def _collect(key: Key, node: object, found: list[Statement], problems: list[tuple[Key, str]]) -> None:
    if node is None:
        return  # taken out of what the profile is based on
    if isinstance(node, dict) and not is_section(node):
        _collect_value(key, node, found, problems)
    elif isinstance(node, dict):
        for name, each in node.items():
            _collect((*key, name), each, found, problems)
    elif isinstance(node, list):
        for index, item in enumerate(node):
            _collect((*key, index), item, found, problems)
    else:
        wanted = "{value: ..., grade: ..., source: ...}"
        problems.append((key, f"a value needs its grade and source: {wanted}, or the file a grade for all of them"))


def _collect_value(key: Key, node: dict[str, object], found: list[Statement], problems: list[tuple[Key, str]]) -> None:
    grade, source, note = node.get("grade"), node.get("source", ""), node.get("note", "")
    problem = _grade_problem(grade, source)
    if problem is not None:
        problems.append((key, problem))
    own = {name: value for name, value in node.items() if name not in _EVIDENCE}
    if not own:
        problems.append((key, "its value is missing: {value: ..., grade: ..., source: ...}"))
    if "value" in own:
        problems += [((*key, name), "unknown key beside value") for name in own if name != "value"]
    found.append(Statement(".".join(map(str, key)), own.get("value", own), str(grade), str(source), str(note)))


def _grade_problem(grade: object, source: object) -> str | None:
    if grade not in GRADES:
        return f"unknown grade {grade!r}; expected one of {', '.join(GRADES)}"
    if not isinstance(source, str):
        return f"expected text as source, got {source!r}"
    return f"grade {grade} needs a source" if grade != "assumption" and not source else None
