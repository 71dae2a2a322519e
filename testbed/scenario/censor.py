"""Profiles checked: what is written becomes a `Profile`, or a list of everything that is wrong with it.

The dataclasses that a box uses say how each value is written (`testbed.middlebox.described`), and pydantic reads them.
What no single value tells is checked here, and by the actions and meters themselves: combinations that a box could
not honour.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from testbed.middlebox.actions import ACTIONS
from testbed.middlebox.described import Described, file_key
from testbed.middlebox.meters import METERS
from testbed.middlebox.packet import Direction
from testbed.middlebox.profile import FlowLimits, Inspection, Placement, Profile, Trigger
from testbed.middlebox.profile.rules import NAME_KINDS
from testbed.middlebox.recognise import TCP_RECOGNISERS
from testbed.quantities import shown
from testbed.scenario.backtracking import may_try_for_ever
from testbed.scenario.refusal import MISSING, UNKNOWN_KEY, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic_core import ErrorDetails

    from testbed.middlebox.described import Problem
    from testbed.middlebox.profile.rules import Rule
    from testbed.scenario.document import Key

__all__ = ["check_profile", "profile_adapter"]

_REFERENCE = "docs/reference/profile.md"
_NOT_FOR_LINES = ("trigger", "inspection", "flows", "exempt")
_ALWAYS = ("trigger", "inspection", "flows")
_HOP = "where a box stands is said by the topology (box_after_hop); remove it"


@cache
def profile_adapter() -> TypeAdapter[Profile]:
    """Return what reads profiles. Making it takes some milliseconds."""
    return TypeAdapter(Profile)


def check_profile(written: dict[str, object]) -> tuple[Profile | None, list[tuple[Key, str]]]:
    """Read a profile's plain values.

    Args:
        written: By the keys of a profile file, without evidence; quantities with their units.

    Returns:
        The profile, and no problems; or None, and each problem with the key that it is about.
    """
    # First what whole sections must not be there at all: pydantic would tell every key of such a section.
    problems = [(_key(dotted), problem) for dotted, problem in _wrong_sections(written)]
    profile = None
    try:
        profile = profile_adapter().validate_python(written)
    except ValidationError as error:
        problems += [_told(each) for each in error.errors(include_url=False)]
    # A section that is missing has the default of a line's box here, about which there is nothing to say.
    if profile is not None and not problems:
        problems += [(_key(dotted), problem) for dotted, problem in _combinations(profile)]
    return (None if problems else profile), list(dict.fromkeys(_without_echoes(problems)))


def _without_echoes(problems: list[tuple[Key, str]]) -> list[tuple[Key, str]]:
    """Leave out the keys that are missing because they stand there by their old names."""
    called = {(*key[:-1], file_key(str(key[-1]))) for key, problem in problems if problem.startswith(_OLD_NAME)}
    return [(key, problem) for key, problem in problems if not (key in called and problem == MISSING)]


def _key(dotted: str) -> Key:
    return tuple(int(step) if step.isdecimal() else step for step in dotted.split("."))


def _told(problem: ErrorDetails) -> tuple[Key, str]:
    key = problem["loc"]
    if problem["type"] == "union_tag_not_found":
        return (*key, "kind"), MISSING
    if problem["type"] == "union_tag_invalid":
        written = shown(problem["input"]["kind"])
        return (*key, "kind"), f"unknown value {written}; expected one of {', '.join(ACTIONS)}"
    # What is written is a file's key, and what pydantic knows is a field: the message speaks of the file.
    kind = None
    if key[0] == "action" and len(key) > 1:
        # Pydantic puts the kind that it chose behind the key of the section.
        kind, key = str(key[1]), (key[0], *key[2:])
    text = in_words(problem, _REFERENCE)
    if text.startswith(UNKNOWN_KEY):
        return key, _instead(key, kind) or text
    return key, text


def _instead(key: Key, kind: str | None) -> str | None:
    """Return what to say of an unknown key that is known elsewhere, or was."""
    if key == ("placement", "hop"):
        return _HOP
    name = str(key[-1])
    now = file_key(name)
    if now != name and name in _field_names():
        return f"{_OLD_NAME} {now} now, and its value has a unit: {now}: {{value: {_EXAMPLES[name[len(now) :]]}, …}}"
    others = [each for each in ACTIONS if name in [file_key(field.name) for field in fields(ACTIONS[each])]]
    if kind is not None and others:
        return f"an action of kind {kind} has no such key, one of kind {' or '.join(others)} has; remove it"
    return None


_OLD_NAME = "it is called"
_EXAMPLES = {"_bps": "140 kbit/s", "_bytes": "16 KiB", "_s": "10 min"}


@cache
def _field_names() -> frozenset[str]:
    classes: list[type[Described]] = [Placement, Trigger, Inspection, FlowLimits]
    classes += [ACTIONS[kind] for kind in ACTIONS] + [METERS[kind] for kind in METERS]
    return frozenset(field.name for cls in classes for field in fields(cls))


def _wrong_sections(written: Mapping[str, object]) -> Iterator[Problem]:
    """Sections that should be there, or should not, by what the action is."""
    action = written.get("action")
    if not isinstance(action, dict):
        return
    is_line = action.get("scope") == "line"
    for key in _NOT_FOR_LINES if is_line else ():
        if key in written:
            yield key, "a box that meters a whole line reads nothing and remembers no flow; remove it"
    if is_line and "residual" in action:
        yield "action.residual", "a box that meters a whole line remembers no flow; remove it"
    for key in () if is_line else _ALWAYS:
        if key not in written:
            yield key, MISSING
    kind = action.get("kind")
    if not isinstance(kind, str) or kind not in ACTIONS:
        return
    if ACTIONS[kind].needs_meter and "meter" not in written:
        yield "meter", f"{MISSING}: an action of kind {kind} needs a meter"
    if not ACTIONS[kind].needs_meter and "meter" in written:
        yield "meter", f"an action of kind {kind} has no use for a meter; remove it"


def _combinations(profile: Profile) -> Iterator[Problem]:
    yield from _wrong_dates(profile)
    yield from _wrong_trigger(profile.trigger)
    yield from _wrong_rules(profile)
    yield from _wrong_action(profile)
    yield from profile.action.problems(profile)
    if profile.meter is not None:
        yield from ((f"meter.{key}", problem) for key, problem in profile.meter.problems())


def _wrong_dates(profile: Profile) -> Iterator[Problem]:
    begin, end = profile.valid_from, profile.valid_until
    if begin is not None and end is not None and datetime.fromisoformat(begin) >= datetime.fromisoformat(end):
        yield "valid_until", f"{end} is not after valid_from {begin}; swap them"


def _wrong_trigger(trigger: Trigger) -> Iterator[Problem]:
    """Yield what could never trigger."""
    strange = [name for name in trigger.names_from if name not in trigger.recognisers]
    if strange:
        there = ", ".join(trigger.recognisers) or "none"
        yield "trigger.names_from", f"{strange[0]} is not among trigger.recognisers ({there})"
    only_datagrams = trigger.recognisers and not set(trigger.recognisers) & set(TCP_RECOGNISERS)
    if only_datagrams and Direction.UP not in trigger.directions:
        yield "trigger.directions", "over UDP only the client's datagrams are read; add up"
    if trigger.address_rules == "hello" and not trigger.recognisers:
        yield "trigger.address_rules", "there is no hello without trigger.recognisers; write open"


def _wrong_rules(profile: Profile) -> Iterator[Problem]:
    """Rules that could never match."""
    trigger = profile.trigger
    if not profile.rules:
        yield "rules", "a box without a rule acts on nothing; add one, or name no censor where none is meant"
    known: set[str] = set()
    for part, rules in (("rules", profile.rules), ("exempt", profile.exempt)):
        for index, rule in enumerate(rules):
            key = f"{part}.{index}.{rule.kind}"
            if rule.id in known:
                yield (
                    f"{part}.{index}.id",
                    f"another rule has the id {shown(rule.id)}; reports tell rules by it: rename one",
                )
            known.add(rule.id)
            strange = [each for each in rule.patterns if rule.kind in NAME_KINDS and not each.isascii()]
            if strange:
                yield key, f"hellos have names in ASCII alone; write {shown(strange[0])} as A-labels (xn--…)"
            slow = [each for each in rule.patterns if rule.kind == "regex" and may_try_for_ever(each)]
            if slow:
                yield (
                    key,
                    f"{shown(slow[0])} may be tried on a name for ever; inside a repetition write ++ for +, *+ for *",
                )
            if rule.kind in NAME_KINDS and not trigger.names_from:
                yield key, "no name is ever read; add its recogniser to trigger.names_from"
            unknown = set(rule.patterns) - set(trigger.recognisers) if rule.kind == "protocol" else set()
            if unknown:
                yield key, f"{min(unknown)} is not among trigger.recognisers"
            yield from _wrong_conditions(profile, part, index, rule)


def _wrong_conditions(profile: Profile, part: str, index: int, rule: Rule) -> Iterator[Problem]:
    """Yield conditions of a rule that could never hold, and what an exemption cannot leave behind."""
    trigger = profile.trigger
    for name in ("repeated", "taints") if part == "exempt" else ():
        if getattr(rule, name) is not None:
            yield f"{part}.{index}.{name}", "flows that are left alone are not remembered; remove it"
    if rule.at and all(_is_within(each, rule.not_at) for each in rule.at):
        yield f"{part}.{index}.at", "all of it lies within not_at, so nothing matches; change one of the two"
    asked = [name for name in ("extensions", "repeated") if getattr(rule, name)]
    never_read = rule.kind in {"address", "any"} and trigger.address_rules == "open"
    for name in asked:
        if (never_read and part == "rules") or not set(trigger.recognisers) & _WITH_HELLO:
            yield f"{part}.{index}.{name}", _NO_HELLO
    if profile.action.scope == "line" and (asked or rule.at or rule.not_at or rule.taints):
        name = next(name for name in ("at", "not_at", *asked, "taints") if getattr(rule, name))
        yield f"{part}.{index}.{name}", "a box that meters a whole line tells no flow from another; remove it"


def _is_within(prefix: str, others: Iterable[str]) -> bool:
    """Return whether a prefix lies within one of others. Those of the other IP version are no such."""
    network = ip_network(prefix)
    for other in map(ip_network, others):
        if isinstance(network, IPv4Network) and isinstance(other, IPv4Network) and network.subnet_of(other):
            return True
        if isinstance(network, IPv6Network) and isinstance(other, IPv6Network) and network.subnet_of(other):
            return True
    return False


_WITH_HELLO = frozenset({"tls", "quic"})
_NO_HELLO = (
    "it is looked for in hellos of tls and quic: one must be among trigger.recognisers, and an address rule needs "
    "trigger.address_rules: hello"
)


def _wrong_action(profile: Profile) -> Iterator[Problem]:
    """Actions that could never be carried out."""
    action = profile.action
    blind = action.directions - profile.placement.sees
    if blind:
        yield "action.directions", f"the box does not see {min(each.value for each in blind)}"
    if action.scope == "line" and [rule.kind for rule in profile.rules] != ["any"]:
        yield "action.scope", "line is for all traffic: it needs one rule, of kind any"
    recognisers = set(profile.trigger.recognisers)
    if action.needs_tcp and recognisers and not recognisers & set(TCP_RECOGNISERS):
        yield "action.kind", f"{action.kind} is for TCP, but the recognisers are for UDP"
    if profile.inspection.fragments == "reassemble" and action.delays(profile.meter):
        yield "inspection.fragments", "reassemble: fragments cannot wait where the whole datagram was judged"
