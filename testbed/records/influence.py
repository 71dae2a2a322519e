"""What acted on a transfer: who, where, how, on what, from when, and for how much of it.

The manifest has a list of these for each transfer. Labels are made of them (`testbed.records.label`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypedDict

from testbed.records.truth import Effect  # noqa: TC001 - `testbed.records.shape` reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RULE_TRIGGERS", "Actor", "Influence", "Span", "Trigger", "Unboxed", "planned_influence"]

Actor = Literal["censor", "plan", "link", "ends"]
"""Who: a middlebox, the subscriber's tariff, a link on the way, or one of the two ends."""

Trigger = Literal["name", "address", "protocol", "everything"]
"""What it goes by: the name in the hello, the server's address, the kind of traffic, or nothing of these."""

RULE_TRIGGERS: Final[Mapping[str, Trigger]] = {
    "exact": "name", "suffix": "name", "substring": "name", "regex": "name", "address": "address",
    "protocol": "protocol", "any": "everything",
}  # fmt: skip
"""The key of a rule's pattern in a profile, and what the rule goes by."""


class Influence(TypedDict):
    """One thing that acted on a transfer, or could have.

    Keys:
        where: A box, a link (its two nodes), or a node.
        what: A meter or an action of a box; what is said of a link or an end (``loss``, ``rate``, ``think``).
        effect: Of a box's action, what it means for the flow; None: not known, or of a link or an end.
        rule: Of the box's profile; None: there was none.
        from_s, until_s: Since the start of the run, cut to the time of the transfer.
        time_share: Share of the transfer's time, from the client's SYN to its end, in which it acted.
        only_handshake: Whether all packets that it touched came before the end of the TLS handshake; of a delay, also
            where that never ended.
        packets: How many packets of the transfer it dropped, delayed, rewrote, held or injected; None: not counted, as
            of links and ends, and where a meter of the whole line touched some while other flows had the line, too.
    """

    who: Actor
    where: str
    what: str
    effect: Effect | None
    on: Trigger
    rule: str | None
    from_s: float
    until_s: float
    time_share: float
    only_handshake: bool
    packets: int | None


class Unboxed(TypedDict):
    """What became of the same transfer in the twin run, in which all boxes are cables."""

    ok: bool
    duration_s: float | None
    goodput_bps: float | None
    handshake_s: float | None


class Span(NamedTuple):
    """A span of the run, seconds since its start."""

    from_s: float
    until_s: float

    def cut(self, other: Span) -> Span:
        """Return the part of it that lies in another; they have to meet."""
        return Span(max(self.from_s, other.from_s), min(self.until_s, other.until_s))

    def meets(self, other: Span) -> bool:
        """Return whether they have an instant in common."""
        return self.from_s <= other.until_s and other.from_s <= self.until_s

    def share_of(self, whole: Span) -> float:
        """Return how much of a span that it lies in it is; all of one that is an instant."""
        length_s = whole.until_s - whole.from_s
        return (self.until_s - self.from_s) / length_s if length_s > 0 else 1.0


def planned_influence(who: Actor, where: str, what: str, acts: Span, transfer: Span) -> Influence:
    """Return what the plan says of a link or an end, for the time of a transfer that it meets."""
    within = acts.cut(transfer)
    return {
        "who": who, "where": where, "what": what, "effect": None, "on": "everything", "rule": None,
        "from_s": within.from_s, "until_s": within.until_s, "time_share": within.share_of(transfer),
        "only_handshake": False, "packets": None,
    }  # fmt: skip
