"""What a censor says of IPv4 alone, which a reader of a run over IPv6 has to know: there it matches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.records.box_plan import profiles_of
from testbed.records.plan import planned_transfers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from testbed.records.plan import PlanDocument

__all__ = ["ipv4_only_rules"]

_WITH_ADDRESSES = ("address", "at", "not_at")


def ipv4_only_rules(plan: PlanDocument) -> list[str]:
    """Return a note for each profile with rules of IPv4 addresses alone, where a transfer goes over IPv6."""
    if not any("ip" in transfer for transfer in planned_transfers(plan)):
        return []
    notes: dict[str, None] = {}
    for box in plan["boxes"].values():
        for profile in profiles_of(box):
            # The document is the profile's own JSON; only what is looked for here is read.
            rules = [*_of_ipv4_alone(profile, "rules"), *_of_ipv4_alone(profile, "exempt")]
            if rules:
                named = ", ".join(rules)
                notes[f"{profile['name']}: addresses of IPv4 alone match nothing over IPv6 (rules: {named})"] = None
    return list(notes)


def _of_ipv4_alone(profile: Mapping[str, object], key: str) -> Iterator[str]:
    rules = profile.get(key)
    for rule in rules if isinstance(rules, list) else []:
        for condition in _WITH_ADDRESSES:
            addresses = rule.get(condition)
            if addresses and not any(":" in each for each in addresses):
                yield str(rule["id"])
                break
