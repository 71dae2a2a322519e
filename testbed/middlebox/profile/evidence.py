"""Profiles as they are written: values with their grade of evidence and source. Pure functions on plain data.

A leaf is a mapping with ``value``, ``grade`` and ``source`` (and perhaps ``note``); an item of ``rules`` carries
``grade`` and ``source`` beside its own keys. A null takes a key out of what a profile is based on. Grades, from best
to worst: `GRADES`.
Not for: reading files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from testbed.middlebox.profile.section import ProfileError

__all__ = ["GRADES", "Statement", "merge", "plain_values", "select_by_date", "statements"]

GRADES = ("published", "secondary", "unverified", "assumption")
"""published: stated in, or read off a figure of, the source; secondary: press, forum, notes of others; unverified:
believed to be published, the primary text was not read again; assumption: not public, our choice."""

_EVIDENCE = frozenset({"grade", "source", "note"})
# Names of things, not claims about the world.
_UNGRADED = frozenset({"name", "family", "summary", "based_on"})


class Statement(NamedTuple):
    """One value of a profile and what it rests on."""

    key: str
    value: object
    grade: str
    source: str
    note: str


def plain_values(graded: Mapping[str, Any]) -> dict[str, Any]:
    """The values alone, as `Profile.from_dict` takes them."""
    return {key: _plain(value) for key, value in graded.items() if key != "based_on" and value is not None}


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        if "value" in node:
            return node["value"]
        return {key: _plain(value) for key, value in node.items() if key not in _EVIDENCE and value is not None}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return node


def statements(graded: Mapping[str, Any]) -> Iterator[Statement]:
    """Every value with its evidence, in the order of the file.

    Raises:
        ProfileError: a value without a known grade, or a grade other than assumption without a source.
    """
    for key, node in graded.items():
        if key not in _UNGRADED:
            yield from _statements(key, node)


def _statements(path: str, node: Any) -> Iterator[Statement]:
    if isinstance(node, Mapping) and ("value" in node or "grade" in node):
        grade, source = node.get("grade"), node.get("source", "")
        if grade not in GRADES:
            raise ProfileError(path, f"unknown grade {grade!r}; expected one of {', '.join(GRADES)}")
        if grade != "assumption" and not source:
            raise ProfileError(path, f"grade {grade} needs a source")
        own = {key: value for key, value in node.items() if key not in _EVIDENCE}
        unknown = set(own) - {"value"} if "value" in own else set()
        if unknown:
            raise ProfileError(f"{path}.{min(unknown)}", "unknown key beside value")
        yield Statement(path, own.get("value", own), grade, source, node.get("note", ""))
    elif node is None:
        return  # taken out of what the profile is based on
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _statements(f"{path}.{key}", value)
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _statements(f"{path}.{index}", item)
    else:
        raise ProfileError(path, "a value needs its grade and source: {value: ..., grade: ..., source: ...}")


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A profile that is based on another: sections are merged, graded leaves and lists are replaced whole."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        is_section = isinstance(old, Mapping) and isinstance(value, Mapping) and not ({"value", "grade"} & set(value))
        merged[key] = merge(old, value) if is_section and isinstance(old, Mapping) else value
    return merged


def select_by_date(profiles: Iterable[Mapping[str, Any]], family: str, instant: datetime) -> Mapping[str, Any]:
    """The plain profile of a family that is valid at an instant (with its time zone).

    Raises:
        ProfileError: the family is unknown, or none of it is valid then.
    """
    members = [profile for profile in profiles if profile["family"] == family]
    if not members:
        raise ProfileError("family", f"unknown family {family!r}")
    for profile in members:
        begin, end = profile.get("valid_from"), profile.get("valid_until")
        has_begun = begin is None or datetime.fromisoformat(begin) <= instant
        has_ended = end is not None and datetime.fromisoformat(end) <= instant
        if has_begun and not has_ended:
            return profile
    spans = [f"{each['name']} ({each.get('valid_from')} to {each.get('valid_until')})" for each in members]
    problem = f"no profile of family {family} is valid at {instant.isoformat()}; there are {', '.join(spans)}"
    raise ProfileError("valid_from", problem)
