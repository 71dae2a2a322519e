"""Everything that is wrong with a document, in one error: file, line, dotted key, what was expected, what was there."""

from __future__ import annotations

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
        return MISSING
    if kind == "value_error":
        return problem["msg"].removeprefix("Value error, ")
    return f"{problem['msg'].replace('Input should be', 'expected')}, got {shown(problem['input'])}"
