"""Which names and addresses a censor cares about, compiled once and asked for every hello.

Names are compared without regard to ASCII case (nobody published that the boxes minded it). A suffix is a plain string
suffix: ``twitter.com`` matches throttletwitter.com, as it did in March 2021; write ``.twimg.com`` to mean labels.
Dates are not looked at here: a profile is resolved for its date before it comes to the box.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from testbed.middlebox.profile.prefix import Prefix

__all__ = ["RULE_KINDS", "Match", "Rule", "RuleSet"]

NAME_KINDS = ("exact", "suffix", "substring", "regex")
RULE_KINDS = (*NAME_KINDS, "address", "protocol", "any")

# DNS allows 253 characters. A longer name is hostile: expressions are not tried on it.
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name in reports, its kind (one of `RULE_KINDS`) and the patterns, any of which matches.

    Raises:
        ValueError: an unknown kind, no pattern, or a pattern that cannot be used.
    """

    id: str
    kind: str
    patterns: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what could never match as written."""
        if self.kind not in RULE_KINDS:
            raise ValueError(f"unknown rule kind {self.kind!r}; expected one of {', '.join(RULE_KINDS)}")
        if not self.patterns or not all(self.patterns):
            raise ValueError("empty pattern")
        for pattern in self.patterns:
            if self.kind == "regex":
                _expression(pattern)
            elif self.kind == "address":
                Prefix(pattern)


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
        self._protocols = {m.pattern: m for _, m, kind in reversed(patterns) if kind == "protocol"}
        self._any = next((match for _, match, kind in patterns if kind == "any"), None)

    def match_name(self, name: str) -> Match | None:
        """The first rule that matches a name."""
        name = name.lower()
        found = [self._exact[name]] if name in self._exact else []
        found += [(order, match) for order, suffix, match in self._suffixes if name.endswith(suffix)]
        found += [(order, match) for order, part, match in self._substrings if part in name]
        if self._expressions and len(name) <= _LONGEST_NAME:
            found += [(order, match) for order, expression, match in self._expressions if expression.search(name)]
        return min(found)[1] if found else None

    def match_protocol(self, protocol: str) -> Match | None:
        """The first rule that matches whatever a recogniser of this name recognises."""
        return self._protocols.get(protocol)

    def match_address(self, packed: bytes) -> Match | None:
        """The first rule that matches a server's address, or that matches everything."""
        found = [(order, match) for order, prefix, match in self._addresses if packed in prefix]
        return min(found)[1] if found else self._any


def _expression(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"regular expression {pattern!r}: {error}") from error
