"""What a censor says of IPv4 alone is told where something goes over IPv6."""

from __future__ import annotations

import pytest

from testbed.engine.judge.ipv4_rules import ipv4_only_rules
from tests.scenario.plans import first_day

MEASURED = "measurements=[{fetch: t.co, role: target, ip: %d}]"


def notes(censor: str, ip: int, *settings: str) -> list[str]:
    return ipv4_only_rules(first_day(f"censors={{tspu: {censor}}}", MEASURED % ip, "recordings=[]", *settings).data)


def test_rules_and_exceptions_of_ipv4_addresses_are_named_once_for_all_boxes() -> None:
    [note] = notes("ru-16k-2025", 6)
    assert note.startswith("ru-16k-2025: addresses of IPv4 alone match nothing over IPv6 (rules: ")
    assert "servers-abroad" not in note  # that has both: an emulated server abroad has both


@pytest.mark.parametrize(("censor", "ip"), [("ru-tw-2021", 6), ("cn-line-2025", 6), ("ru-16k-2025", 4)])
def test_nothing_is_said_where_nothing_is_missed(censor: str, ip: int) -> None:
    assert notes(censor, ip) == []


def test_a_condition_of_a_rule_counts_too() -> None:
    [note] = notes("ru-quic-layers-2022", 6)
    assert "match nothing over IPv6" in note


def test_a_profile_that_comes_later_is_looked_at() -> None:
    event = "events=[{censor: {at: 1 s, censor: ru-16k-2025}}]"
    assert [each.partition(":")[0] for each in notes("ru-tw-2021", 6, event)] == ["ru-16k-2025"]
