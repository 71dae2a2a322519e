"""Regular expressions that Python may try for ever: a repetition of what can itself be divided in several ways.

On forty a's and an exclamation mark the expression ``(a+)+$`` is tried in 2**40 ways: a box would stand still at such a
name. Those that take a power of the name's length (``.*.*.*x``) are let through: expressions are tried on names of 255
characters at most.
"""

from __future__ import annotations

import importlib
import re

__all__ = ["may_try_for_ever"]

_FEW = 8  # so many repetitions of something that can be divided are tried in no time
# What has matched in these is never divided anew, so whatever stands around them does not matter.
_SETTLED = frozenset({"POSSESSIVE_REPEAT", "ATOMIC_GROUP"})


def may_try_for_ever(pattern: str) -> bool:
    """Return whether a repetition in an expression, which has to be one, repeats what can be divided differently."""
    # Python's own parser, which its documentation does not name; a parser of ours could disagree with it.
    parsed: object = importlib.import_module("re._parser").parse(pattern, re.IGNORECASE)
    return _is_ambiguous(parsed, repeated=False)


def _is_ambiguous(node: object, *, repeated: bool) -> bool:
    """Walk what the parser gives: sequences of (operation, arguments), in which arguments may be sequences again."""
    match node:
        case (operation, arguments) if (name := str(operation)).isupper():
            return _is_ambiguous_operation(name, arguments, repeated=repeated)
        case str() | int() | None:
            return False
    try:
        parts = list(node)  # type: ignore[call-overload]  # the parser's own kind of list has no public name
    except TypeError:
        return False
    return any(_is_ambiguous(part, repeated=repeated) for part in parts)


def _is_ambiguous_operation(name: str, arguments: object, *, repeated: bool) -> bool:
    match name, arguments:
        case "MAX_REPEAT" | "MIN_REPEAT", (int(least), int(most), item):
            varies = repeated and least != most
            return varies or _is_ambiguous(item, repeated=repeated or most > _FEW)
        case "BRANCH", (_, list(alternatives)):
            unclear = repeated and not _begin_differently(alternatives)
            return unclear or _is_ambiguous(alternatives, repeated=repeated)
    return _is_ambiguous(arguments, repeated=repeated and name not in _SETTLED)


def _begin_differently(alternatives: list[list[tuple[object, object]]]) -> bool:
    """Return whether the first character alone says which alternative it is."""
    first = [each[0] if len(each) else None for each in alternatives]
    literals = {each[1] for each in first if each is not None and str(each[0]) == "LITERAL"}
    return len(literals) == len(alternatives)
