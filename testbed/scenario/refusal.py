"""Everything that is wrong with a document, in one error: file, line, dotted key, what was expected, what was there."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING

from testbed.errors import ScenarioError
from testbed.quantities import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

    from testbed.scenario.document import Document, Key

__all__ = ["MISSING", "UNKNOWN_KEY", "in_words", "refusal"]

_MOST_MESSAGES = 8
MISSING = "this key is missing"
UNKNOWN_KEY = "unknown key; remove it or correct its spelling"

# What pydantic calls a key that is not known depends on what the keys are of.
_WANTED = {
    "bool_parsing": "true or false", "bool_type": "true or false",
    "int_from_float": "a whole number", "int_parsing": "a whole number", "int_parsing_size": "a whole number",
    "int_type": "a whole number", "float_parsing": "a number", "float_type": "a number",
    "string_type": "text",
    "list_type": "a list", "tuple_type": "a list",
    "dict_type": "a mapping", "mapping_type": "a mapping",
    "model_type": "a mapping", "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
}  # fmt: skip
_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument", "invalid_key"})


def refusal(document: Document, problems: Iterable[tuple[Key, str]]) -> ScenarioError:
    """Return the error of a document in which something is wrong. Of many problems the first few are told."""
    # What is wrong with a measurement is wrong with each that it stands for.
    messages = list(dict.fromkeys(document.describe(key, problem) for key, problem in problems))
    if len(messages) > _MOST_MESSAGES:
        messages[_MOST_MESSAGES:] = [f"… and {len(messages) - _MOST_MESSAGES} more"]
    return ScenarioError("\n".join(messages))


def in_words(problem: ErrorDetails, reference: str) -> str:
    """Return what pydantic says of one key, in our words.

    Args:
        problem: One of a `ValidationError`'s errors.
        reference: The page that lists the keys.
    """
    kind = problem["type"]
    if kind in _UNKNOWN:
        return f"{UNKNOWN_KEY} ({reference} lists the keys)"
    if kind == "missing":
        # Of a list with a place for each item pydantic tells the place at which nothing stands.
        return MISSING if not isinstance(problem["loc"][-1], int) else "an item is missing here; the list is too short"
    if kind == "value_error":
        return problem["msg"].removeprefix("Value error, ")
    if kind in {"too_short", "too_long"}:
        return f"expected {_count(problem)}, got {_number(problem['ctx']['actual_length'])}"
    wanted = _WANTED.get(kind)
    said = problem["msg"].replace("Input should be", "expected") if wanted is None else f"expected {wanted}"
    # YAML makes a number or a date of what looks like one.
    quotes = kind == "string_type" and not isinstance(problem["input"], list | dict | NoneType)
    return f"{said}, got {shown(problem['input'])}{'; write it in quotes' if quotes else ''}"


def _number(count: int | None) -> str:
    """Return how many there are; pydantic leaves off counting at some places."""
    return "more" if count is None else str(count or "none")


def _count(problem: ErrorDetails) -> str:
    least, most = (problem["ctx"].get(key) for key in ("min_length", "max_length"))
    count = most if least is None else least
    return f"at {'most' if least is None else 'least'} {count} item{'' if count == 1 else 's'}"
