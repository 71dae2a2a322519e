"""Options of evasions and probes: fields of a dataclass that say how people write them and what they are for.

The host reads what people wrote (`testbed.scenario.options`); the guest is given plain values.
"""

from __future__ import annotations

from dataclasses import asdict, field, fields
from typing import TYPE_CHECKING, TypeVar

from testbed.quantities import Written, parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

    from testbed.records.jsonl import Json

__all__ = [
    "SERVER_NAME",
    "about",
    "choice",
    "known_options",
    "option",
    "server_name",
    "span",
    "whole",
    "with_options",
    "written",
]

_MOST_NAME_BYTES = 253
_Value = TypeVar("_Value")
_Made = TypeVar("_Made", bound="DataclassInstance")


def option(default: _Value, how: Written, purpose: str) -> _Value:
    """Return a field of a dataclass that people may set: its default, how it is written, and a line of help."""
    made: _Value = field(default=default, metadata={"written": how, "about": purpose})
    return made


def written(cls: type[DataclassInstance]) -> dict[str, Written]:
    """Return how each option of a class is written."""
    return {each.name: each.metadata["written"] for each in fields(cls)}


def about(cls: type[DataclassInstance]) -> dict[str, str]:
    """Return what each option of a class is for."""
    return {each.name: each.metadata["about"] for each in fields(cls)}


def with_options(cls: type[_Made], options: Mapping[str, Json]) -> _Made:
    """Return an object of ``cls`` with options as a plan has them: checked, in plain values."""
    return cls(**options)


def known_options(made: DataclassInstance) -> dict[str, Json]:
    """Return all options of an object with their values, plain."""
    return asdict(made)


def whole(least: int, most: int) -> Written:
    """Read a whole number in [least, most]."""

    def read(value: object) -> int:
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise ValueError(f"expected a whole number from {least} to {most}, got {value!r}")
        return number

    return Written(read, {"type": "integer", "minimum": least, "maximum": most})


def span(least_s: float, most_s: float) -> Written:
    """Read a duration with its unit, in [least_s, most_s] seconds."""

    def read(value: object) -> float:
        seconds = parse_duration(value)
        if not least_s <= seconds <= most_s:
            raise ValueError(f"expected a duration from {least_s:g} s to {most_s:g} s, got {value!r}")
        return seconds

    return Written(read, {"type": "string", "description": f"a duration from {least_s:g} s to {most_s:g} s"})


def choice(*known: str) -> Written:
    """Read one of these words."""

    def read(value: object) -> str:
        if type(value) is int:  # as YAML reads a year
            value = str(value)
        if value not in known:
            raise ValueError(f"expected one of {', '.join(known)}, got {value!r}")
        return str(value)

    return Written(read, {"enum": list(known)})


def server_name(value: object) -> str:
    """Return a name as it goes into a hello: printable ASCII without blanks, at most 253 bytes. Raises ValueError."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value or " " in value:
        raise ValueError(f"expected a server name in ASCII, got {value!r}")
    if len(value) > _MOST_NAME_BYTES:
        raise ValueError(f"expected a server name of at most {_MOST_NAME_BYTES} bytes, got {len(value)}")
    return value


SERVER_NAME = Written(server_name, {"type": "string", "maxLength": _MOST_NAME_BYTES})
"""A server name, as an option."""
