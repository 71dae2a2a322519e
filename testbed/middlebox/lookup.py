"""Which rule a flow matches: by its server's address, by what was read of it, or by what its subscriber did before.

Not for: reading; acting. It keeps what rules ask to remember, and no flow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.middlebox.memory import Memory
from testbed.middlebox.profile.rules import Match, RuleSet
from testbed.middlebox.recognise import Hello

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.middlebox.flows import Flow
    from testbed.middlebox.packet import Direction
    from testbed.middlebox.profile import Profile
    from testbed.middlebox.profile.rules import Rule
    from testbed.middlebox.readers import Reading

__all__ = ["Lookup"]

_ADDRESS_KINDS = frozenset({"address", "any"})


class Lookup:
    """The rules of one profile, and what they remember.

    Attributes:
        matches_at_open: Whether a flow may match before anything is read of it.
        minds_lines: Whether a flow that goes on may match for what another one did.
    """

    __slots__ = ("_exempt", "_memory", "_rules", "_trigger", "_with_addresses", "matches_at_open", "minds_lines")

    def __init__(self, profile: Profile) -> None:
        self._trigger = profile.trigger
        self._rules, self._exempt = RuleSet(profile.rules), RuleSet(profile.exempt)
        self._memory = Memory(profile.flows.table_size)
        self._with_addresses = profile.trigger.address_rules == "open" and any(
            rule.kind in _ADDRESS_KINDS for rule in profile.rules
        )
        taints = {rule.taints.what for rule in profile.rules if rule.taints is not None}
        self.matches_at_open = self._with_addresses or bool(taints)
        self.minds_lines = "subscriber" in taints

    def spares(self, server: bytes) -> bool:
        """Return whether the server's address alone is exempt."""
        return self._exempt.match_address(server, self._accepts_exempt(server, None)) is not None

    def at_open(self, flow: Flow, now_ns: int) -> Match | None:
        """Return what a flow matches before anything is read of it."""
        match = None
        if self._with_addresses:
            match = self._rules.match_address(flow.key.outside, self._accepts(flow, None, now_ns))
        return match or self._memory.tainted(flow.key.inside, flow.key.outside, now_ns)

    def by_line(self, flow: Flow, now_ns: int) -> Match | None:
        """Return what a flow that goes on matches for what its subscriber did elsewhere."""
        match = self._memory.tainted_line(flow.key.inside, now_ns)
        return None if match is None or self.spares(flow.key.outside) else match

    def is_exempt(self, flow: Flow, reading: Reading, name: str | None) -> bool:
        """Return whether a flow is left alone for what was read of it."""
        if reading.protocol not in self._trigger.recognisers:
            return False
        accepts = self._accepts_exempt(flow.key.outside, _hello(reading))
        matches = [
            self._exempt.match_protocol(reading.protocol, accepts),
            self._exempt.match_address(flow.key.outside, accepts),
        ]
        if name is not None:
            matches.append(self._exempt.match_name(name, accepts))
        return any(matches)

    def match(self, flow: Flow, direction: Direction, reading: Reading, name: str | None, now_ns: int) -> Match | None:
        """Return the rule that what was read matches."""
        trigger = self._trigger
        if not reading.protocol or direction not in trigger.directions:
            return None
        accepts = self._accepts(flow, _hello(reading), now_ns)
        match = None
        if name is not None and reading.protocol in trigger.names_from:
            match = self._rules.match_name(name, accepts)
        if match is None and trigger.address_rules == "hello" and isinstance(reading.result, Hello):
            match = self._rules.match_address(flow.key.outside, accepts)
        if match is None:
            protocols = (reading.protocol, *reading.also)
            match = next(filter(None, (self._rules.match_protocol(each, accepts) for each in protocols)), None)
        return match

    def remember(self, flow: Flow, match: Match, now_ns: int) -> None:
        """Keep what a match leaves behind, if its rule does. A flow that was tainted itself prolongs nothing."""
        taint = self._rules.rule(match.rule).taints
        if taint is not None and self._memory.tainted(flow.key.inside, flow.key.outside, now_ns) != match:
            self._memory.taint(taint, match, flow.key.inside, flow.key.outside, now_ns)

    def _accepts(self, flow: Flow, hello: Hello | None, now_ns: int) -> Callable[[Rule], bool] | None:
        """Return what says whether a rule's conditions hold; None: no rule has any."""
        if not self._rules.has_conditions:
            return None
        key, number = flow.key, flow.id

        def accepts(rule: Rule) -> bool:
            asked = rule.repeated
            if not self._rules.conditions_hold(rule, key.outside, () if hello is None else hello.extensions):
                return False
            if hello is None:
                return not rule.needs_hello
            # Last: a hello that the rule is not about must not be counted.
            return asked is None or self._memory.repeats(
                rule.id, asked, subscriber=key.inside, server=key.outside, name=hello.name, flow=number, now_ns=now_ns
            )

        return accepts

    def _accepts_exempt(self, server: bytes, hello: Hello | None) -> Callable[[Rule], bool] | None:
        if not self._exempt.has_conditions:
            return None
        extensions = () if hello is None else hello.extensions
        return lambda rule: self._exempt.conditions_hold(rule, server, extensions)


def _hello(reading: Reading) -> Hello | None:
    return reading.result if isinstance(reading.result, Hello) else None
