"""Whether a value that was read as JSON has the shape that a type says: the place where it becomes typed.

Understood are TypedDicts, lists, dictionaries, literals, unions and plain values. Where a type says `float`, a whole
number will do: JSON has one kind of number. Keys that a type does not name are let through, since a newer writer may
have more to say.

Not for: what people write. Pydantic reads that, with units and a message for every mistake.
"""

from __future__ import annotations

import math
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Literal,
    NotRequired,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["shaped"]

Shape = TypeVar("Shape")
_LONGEST = 60
_NAMES: dict[object, str] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list",
    dict: "an object", NoneType: "null",
}  # fmt: skip


def shaped(value: object, kind: type[Shape]) -> Shape:
    """Return the value, known to have a type's shape.

    Args:
        value: What was read.
        kind: The type, such as a TypedDict; the names in its annotations have to be importable.

    Raises:
        ValueError: The value has another shape; the message says where, and what was expected there.
    """
    for problem in _problems(value, kind):
        raise ValueError(problem)
    return cast("Shape", value)


def _problems(value: object, kind: object, where: str = "") -> Iterator[str]:
    """Yield what is wrong, the first thing first."""
    arguments, origin = get_args(kind), get_origin(kind)
    if is_typeddict(kind) and isinstance(value, dict):
        yield from _problems_of_keys(value, cast("type", kind), where)
    elif origin is list and isinstance(value, list):
        for number, each in enumerate(value):
            yield from _problems(each, arguments[0], f"{where}{number}.")
    elif origin is dict and isinstance(value, dict):
        for name, each in value.items():
            yield from _problems(each, arguments[1], f"{where}{name}.")
    elif not _fits(value, kind):
        yield _expected(_name(kind), value, where)


def _fits(value: object, kind: object) -> bool:
    """Return whether a value that has no parts to be looked at fits, or one of several shapes does."""
    origin = get_origin(kind)
    if origin in {Union, UnionType}:
        return any(not any(_problems(value, each)) for each in get_args(kind))
    if origin is Literal:
        return value in get_args(kind)
    if kind in {int, float} and isinstance(value, bool):
        return False  # to Python a bool is an int; in JSON it is no number
    if kind is float:
        # Python's parser also takes NaN, which would pass every comparison, and infinities; JSON has neither.
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return kind is object or (isinstance(kind, type) and not is_typeddict(kind) and isinstance(value, kind))


def _problems_of_keys(value: dict[str, object], kind: type, where: str) -> Iterator[str]:
    total: frozenset[str] = kind.__dict__["__required_keys__"]
    for key, hint in get_type_hints(kind, include_extras=True).items():
        # Where annotations are postponed, a class cannot know itself which of its keys are NotRequired (PEP 655).
        is_optional = get_origin(hint) is NotRequired
        if key in value:
            yield from _problems(value[key], get_args(hint)[0] if is_optional else hint, f"{where}{key}.")
        elif key in total and not is_optional:
            yield f"{where}{key}: this key is missing"


def _expected(wanted: str, value: object, where: str) -> str:
    got = repr(value)
    shown = got if len(got) <= _LONGEST else f"{got[:_LONGEST]}…"
    return f"{where.removesuffix('.')}{': ' if where else ''}expected {wanted}, got {shown}"


def _name(kind: object) -> str:
    """Return a type as readers of JSON call it."""
    origin = get_origin(kind)
    if origin in {Union, UnionType}:
        return " or ".join(map(_name, get_args(kind)))
    if origin is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if is_typeddict(kind):
        return "an object"
    return _NAMES.get(origin or kind, str(kind))
