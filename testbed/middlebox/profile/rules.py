"""Which names and addresses a censor cares about, compiled once and asked for every hello.

Names are compared without regard to ASCII case (nobody published that the boxes minded it). A suffix is a plain string
suffix: ``twitter.com`` matches throttletwitter.com, as it did in March 2021; write ``.twimg.com`` to mean labels.
Dates are not looked at here: a profile is resolved for its date before it comes to the box.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

from testbed.middlebox.described import Described
from testbed.middlebox.profile.prefix import Prefix
from testbed.middlebox.written import Text
from testbed.quantities import Written, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.middlebox.described import SchemaHandler

__all__ = ["NAME_KINDS", "RULE_KINDS", "Match", "Rule", "RuleSet"]

NAME_KINDS = ("exact", "suffix", "substring", "regex")
RULE_KINDS = (*NAME_KINDS, "address", "protocol", "any")

# DNS allows 253 characters. A longer name is hostile: expressions are not tried on it.
_LONGEST_NAME = 255
_LONGEST_PREFIX = 64  # characters: an IPv6 address has 45 at most, and the prefix's length 4


@dataclass(frozen=True, slots=True)
class Rule(Described):
    """One rule: its name in reports, its kind (one of `RULE_KINDS`) and the patterns, any of which matches."""

    id: str
    kind: str
    patterns: tuple[str, ...]

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Self:
        """From plain JSON, in which the patterns stand under the kind. One may stand for a list of one."""
        kind = next(kind for kind in RULE_KINDS if kind in plain)
        patterns = plain[kind]
        return cls(str(plain["id"]), kind, tuple(patterns) if isinstance(patterns, list) else (str(patterns),))

    def to_dict(self) -> dict[str, object]:
        """Plain JSON, in which the patterns stand under the kind."""
        return {"id": self.id, self.kind: list(self.patterns)}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: SchemaHandler) -> dict[str, object]:
        """Tell pydantic the keys: ``id``, and one for each kind, of which a rule has exactly one."""
        del source
        make = handler.generate_schema
        keys = {"id": Text, **{kind: Annotated[object, _patterns(kind)] for kind in RULE_KINDS}}
        fields = {
            key: {"type": "typed-dict-field", "required": key == "id", "schema": make(hint)}
            for key, hint in keys.items()
        }
        section = {"type": "typed-dict", "fields": fields, "extra_behavior": "forbid"}
        return {
            "type": "function-after", "function": {"type": "no-info", "function": cls._of_parts}, "schema": section,
        }  # fmt: skip

    @classmethod
    def _of_parts(cls, parts: dict[str, object]) -> Self:
        if len(parts) != len(("id", "kind")):
            raise ValueError(f"expected exactly one of {', '.join(RULE_KINDS)}")
        return cls.from_dict(parts)


class Match(NamedTuple):
    """The rule that matched, and by which of its patterns."""

    rule: str
    pattern: str


class RuleSet:
    """All rules of a profile. Where several match, the first in the profile's order is reported."""

    __slots__ = ("_addresses", "_any", "_exact", "_expressions", "_protocols", "_substrings", "_suffixes")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        """Compile the rules."""
        patterns = [
            (order, Match(rule.id, pattern), rule.kind) for order, rule in enumerate(rules) for pattern in rule.patterns
        ]
        self._exact: dict[str, tuple[int, Match]] = {}
        for order, match, kind in patterns:
            if kind == "exact":
                self._exact.setdefault(match.pattern.lower(), (order, match))
        self._suffixes = [(order, m.pattern.lower(), m) for order, m, kind in patterns if kind == "suffix"]
        self._substrings = [(order, m.pattern.lower(), m) for order, m, kind in patterns if kind == "substring"]
        self._expressions = [(order, _expression(m.pattern), m) for order, m, kind in patterns if kind == "regex"]
        self._addresses = [(order, Prefix(m.pattern), m) for order, m, kind in patterns if kind == "address"]
        # Backwards, so that of several rules for one protocol the first stays.
        self._protocols = {m.pattern: m for _, m, kind in reversed(patterns) if kind == "protocol"}
        self._any = next((match for _, match, kind in patterns if kind == "any"), None)

    def match_name(self, name: str) -> Match | None:
        """Return the first rule that matches a name."""
        # All kinds are tried before one is chosen: the order is that of the profile, not of the kinds.
        name = name.lower()
        found = [self._exact[name]] if name in self._exact else []
        found += [(order, match) for order, suffix, match in self._suffixes if name.endswith(suffix)]
        found += [(order, match) for order, part, match in self._substrings if part in name]
        if self._expressions and len(name) <= _LONGEST_NAME:
            found += [(order, match) for order, expression, match in self._expressions if expression.search(name)]
        return min(found)[1] if found else None

    def match_protocol(self, protocol: str) -> Match | None:
        """Return the first rule that matches whatever a recogniser of this name recognises."""
        return self._protocols.get(protocol)

    def match_address(self, packed: bytes) -> Match | None:
        """Return the first rule that matches a server's address, or that matches everything."""
        found = [(order, match) for order, prefix, match in self._addresses if packed in prefix]
        return min(found)[1] if found else self._any


def _patterns(kind: str) -> Written:
    """Return the patterns of a rule: a list, or one that stands for a list of one."""
    check = {"regex": _expression, "address": _prefix}.get(kind)

    def read(written: object) -> list[str]:
        patterns = []
        for pattern in written if isinstance(written, list) else [written]:
            if not isinstance(pattern, str) or not pattern:
                raise ValueError(f"expected text, got {shown(pattern)}")
            if check is not None:
                check(pattern)
            patterns.append(pattern)
        if not patterns:
            raise ValueError("expected one pattern or more, got an empty list")
        return patterns

    return Written(read, {"anyOf": [_TEXT_SCHEMA, {"type": "array", "items": _TEXT_SCHEMA, "minItems": 1}]})


def _prefix(pattern: str) -> Prefix:
    if len(pattern) > _LONGEST_PREFIX:  # Python's own message would repeat all of it
        raise ValueError(f"{shown(pattern)} is no address and no prefix")
    return Prefix(pattern)


def _expression(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"regular expression {shown(pattern)}: {error}") from error


_TEXT_SCHEMA = {"type": "string", "minLength": 1}
