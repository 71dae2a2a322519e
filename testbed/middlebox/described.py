"""What people describe in a profile, as dataclasses: made from plain JSON here, checked on the host.

The host reads profile files with pydantic, which finds in the annotations how each value is written, and refuses what
it cannot honour (`testbed.scenario.censor`). What reaches the guest is plain JSON by the names of the fields, and is
taken as it is: a guest starts anew in every run, and has neither pydantic nor the time to check again.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from enum import Enum
from functools import cache
from inspect import get_annotations
from typing import (
    TYPE_CHECKING,
    Annotated,
    ClassVar,
    Protocol,
    Self,
    get_args,
    get_origin,
    runtime_checkable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import Field

__all__ = ["Builder", "Described", "Problem", "SchemaHandler", "file_key"]

_UNITS = ("_bps", "_bytes", "_s")

Problem = tuple[str, str]
"""A dotted key, and what is wrong with it."""


def file_key(field: str) -> str:
    """Return the key of a field in a profile file: without its unit, which stands at the value there."""
    for unit in _UNITS:
        if field.endswith(unit):
            return field.removesuffix(unit)
    return field


@runtime_checkable
class Builder(Protocol):
    """Stands in ``Annotated`` where plain data alone does not tell the class: a choice of several kinds."""

    def build(self, plain: object) -> object:
        """Make the value."""
        ...


class SchemaHandler(Protocol):
    """What pydantic gives a type that says itself how it is read, as much of it as is asked for here."""

    def generate_schema(self, source: object, /) -> dict[str, object]:
        """Return how another type is read."""
        ...


class Described:
    """Base of the dataclasses that a profile is made of."""

    __slots__ = ()
    # For pydantic, which reads this attribute of any dataclass.
    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "alias_generator": file_key}

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Self:
        """Build one from what `to_dict` made, without a check. What is missing has its default."""
        described: type = cls
        return cls(**{name: _built(hint, plain[name]) for name, hint in _hints(described).items() if name in plain})

    def to_dict(self) -> dict[str, object]:
        """Plain JSON by the names of the fields, every default written out. What is None is left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _plain(value) for name, value in values.items() if value is not None}


@cache
def _hints(cls: type) -> dict[str, object]:
    """Return the types of the fields. Annotations are text (PEP 563) until somebody asks.

    `typing.get_type_hints` would ask for those of class variables too, some of which type checkers alone can find.
    """
    names = {field.name for field in fields(cls)}
    hints: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        known = vars(sys.modules[base.__module__])
        for name, annotation in get_annotations(base).items():
            if name in names:
                hints[name] = eval(annotation, known)  # noqa: S307 - the text stands in our own modules
    return hints


def _built(hint: object, plain: object) -> object:
    """Return a value of a field's type from its JSON: JSON has neither sets nor tuples, and writes 60.0 as 60."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        builder = next((each for each in arguments[1:] if isinstance(each, Builder)), None)
        return builder.build(plain) if builder is not None else _built(arguments[0], plain)
    if type(None) in arguments:
        return None if plain is None else _built(arguments[0], plain)
    if origin in {tuple, frozenset} and isinstance(plain, list | tuple):
        return origin(_built(arguments[0], each) for each in plain)
    if isinstance(hint, type) and issubclass(hint, Described) and isinstance(plain, dict):
        return hint.from_dict(plain)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(plain)
    return float(plain) if hint is float and isinstance(plain, int) else plain


def _plain(value: object) -> object:
    if isinstance(value, Described):
        return value.to_dict()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        # In the order of the enumeration, or of the alphabet: a set's own differs from one process to the next.
        members = {type(each): tuple(type(each)) for each in value if isinstance(each, Enum)}
        order = next(iter(members.values()), None)
        return [_plain(each) for each in (sorted(value) if order is None else [e for e in order if e in value])]
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value
