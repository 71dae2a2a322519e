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
from testbed.middlebox.profile.conditions import EXTENSIONS, Conditions, Repeated, Taint
from testbed.middlebox.profile.prefix import Prefix
from testbed.middlebox.written import Text, words
from testbed.quantities import Written, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from testbed.middlebox.described import SchemaHandler

    _Accepts = Callable[["Rule"], bool]

__all__ = ["NAME_KINDS", "RULE_KINDS", "Match", "Rule", "RuleSet"]

NAME_KINDS = ("exact", "suffix", "substring", "regex")
RULE_KINDS = (*NAME_KINDS, "address", "protocol", "any")

# DNS allows 253 characters. A longer name is hostile: expressions are not tried on it.
_LONGEST_NAME = 255
_LONGEST_PREFIX = 64  # characters: an IPv6 address has 45 at most, and the prefix's length 4


@dataclass(frozen=True, slots=True)
class Rule(Described):
    """One rule: its name in reports, its kind (one of `RULE_KINDS`) and the patterns, any of which matches.

    Attributes:
        at: Prefixes of servers; it matches there alone. Empty: anywhere.
        not_at: Prefixes of servers where it does not match.
        extensions: Of the hello, by name; all of them have to be there.
        repeated: How often a hello has to be seen before it matches; None: once.
        taints: What a match leaves behind; None: nothing.
    """

    id: str
    kind: str
    patterns: tuple[str, ...]
    at: tuple[str, ...] = ()
    not_at: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    repeated: Repeated | None = None
    taints: Taint | None = None

    @property
    def needs_hello(self) -> bool:
        """Whether a hello has to be read before it can match."""
        return bool(self.extensions) or self.repeated is not None

    @property
    def has_conditions(self) -> bool:
        """Whether its patterns alone do not decide."""
        return bool(self.at or self.not_at) or self.needs_hello

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> Self:
        """From plain JSON, in which the patterns stand under the kind. One may stand for a list of one."""
        kind = next(kind for kind in RULE_KINDS if kind in plain)
        patterns = {key: _listed(plain.get(key, ())) for key in (kind, *_PATTERN_CONDITIONS)}
        repeated, taints = plain.get("repeated"), plain.get("taints")
        return cls(
            str(plain["id"]),
            kind,
            patterns.pop(kind),
            **patterns,
            repeated=Repeated.from_dict(repeated) if isinstance(repeated, dict) else None,
            taints=Taint.from_dict(taints) if isinstance(taints, dict) else None,
        )

    def to_dict(self) -> dict[str, object]:
        """Plain JSON, in which the patterns stand under the kind. Conditions that it has not are left out."""
        plain: dict[str, object] = {"id": self.id, self.kind: list(self.patterns)}
        lists = {key: list(getattr(self, key)) for key in _PATTERN_CONDITIONS}
        plain |= {key: values for key, values in lists.items() if values}
        parts = {"repeated": self.repeated, "taints": self.taints}
        return plain | {key: part.to_dict() for key, part in parts.items() if part is not None}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: SchemaHandler) -> dict[str, object]:
        """Tell pydantic the keys: ``id``, one for each kind, of which a rule has exactly one, and the conditions."""
        del source
        make = handler.generate_schema
        keys: dict[str, object] = {"id": Text, **{kind: Annotated[object, _patterns(kind)] for kind in RULE_KINDS}}
        keys |= {
            "at": Annotated[object, _patterns("address")],
            "not_at": Annotated[object, _patterns("address")],
            "extensions": Annotated[tuple[str, ...], words(*EXTENSIONS)],
            "repeated": Repeated,
            "taints": Taint,
        }
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
        if len(set(parts) & set(RULE_KINDS)) != 1:
            raise ValueError(f"expected exactly one of {', '.join(RULE_KINDS)}")
        plain = {key: part.to_dict() if isinstance(part, Described) else part for key, part in parts.items()}
        return cls.from_dict(plain)


_PATTERN_CONDITIONS = ("at", "not_at", "extensions")


def _listed(patterns: object) -> tuple[str, ...]:
    return tuple(patterns) if isinstance(patterns, list | tuple) else (str(patterns),)


class Match(NamedTuple):
    """The rule that matched, and by which of its patterns."""

    rule: str
    pattern: str


class RuleSet:
    """All rules of a profile. Where several match, the first in the profile's order is reported."""

    __slots__ = (
        "_addresses", "_any", "_conditions", "_exact", "_expressions", "_in_order", "_protocols", "_rules",
        "_substrings", "_suffixes", "has_conditions",
    )  # fmt: skip

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        """Compile the rules."""
        patterns = [
            (order, Match(rule.id, pattern), rule.kind) for order, rule in enumerate(rules) for pattern in rule.patterns
        ]
        self._exact: dict[str, list[tuple[int, Match]]] = {}
        for order, match, kind in patterns:
            if kind == "exact":
                self._exact.setdefault(match.pattern.lower(), []).append((order, match))
        self._suffixes = [(order, m.pattern.lower(), m) for order, m, kind in patterns if kind == "suffix"]
        self._substrings = [(order, m.pattern.lower(), m) for order, m, kind in patterns if kind == "substring"]
        self._expressions = [(order, _expression(m.pattern), m) for order, m, kind in patterns if kind == "regex"]
        self._addresses = [(order, Prefix(m.pattern), m) for order, m, kind in patterns if kind == "address"]
        self._protocols = [(order, m) for order, m, kind in patterns if kind == "protocol"]
        self._any = [(order, m) for order, m, kind in patterns if kind == "any"]
        self._in_order = rules
        # Of several rules of one name the first stays.
        self._rules = {rule.id: rule for rule in reversed(rules)}
        self._conditions = {
            rule: Conditions(rule.at, rule.not_at, rule.extensions) for rule in rules if rule.has_conditions
        }
        self.has_conditions = bool(self._conditions)

    def rule(self, number: str) -> Rule:
        """Return the rule of an id."""
        return self._rules[number]

    def conditions_hold(self, rule: Rule, server: bytes, extensions: Container[int]) -> bool:
        """Return whether what a rule asks of one hello holds: at this packed address, with these extensions."""
        conditions = self._conditions.get(rule)
        return conditions is None or conditions.hold(server, extensions)

    def match_name(self, name: str, accepts: _Accepts | None = None) -> Match | None:
        """Return the first rule that matches a name. ``accepts`` is asked whether its conditions hold."""
        # All kinds are tried before one is chosen: the order is that of the profile, not of the kinds.
        name = name.lower()
        found = list(self._exact.get(name, ()))
        found += [(order, match) for order, suffix, match in self._suffixes if name.endswith(suffix)]
        found += [(order, match) for order, part, match in self._substrings if part in name]
        if self._expressions and len(name) <= _LONGEST_NAME:
            found += [(order, match) for order, expression, match in self._expressions if expression.search(name)]
        return self._first(found, accepts)

    def match_protocol(self, protocol: str, accepts: _Accepts | None = None) -> Match | None:
        """Return the first rule that matches whatever a recogniser of this name recognises."""
        found = [(order, match) for order, match in self._protocols if match.pattern == protocol]
        return self._first(found, accepts)

    def match_address(self, packed: bytes, accepts: _Accepts | None = None) -> Match | None:
        """Return the first rule that matches a server's address, or that matches everything."""
        found = [(order, match) for order, prefix, match in self._addresses if packed in prefix]
        return self._first(found, accepts) or self._first(self._any, accepts)

    def _first(self, found: list[tuple[int, Match]], accepts: _Accepts | None) -> Match | None:
        if accepts is None:
            return min(found)[1] if found else None
        return next((match for order, match in sorted(found) if accepts(self._in_order[order])), None)


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
