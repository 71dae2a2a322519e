from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.profile.rules import Match, Rule, RuleSet
from tests.middlebox.build import problems


def matches(kind: str, pattern: str, name: str) -> bool:
    return RuleSet((Rule("r", kind, (pattern,)),)).match_name(name) == Match("r", pattern)


@pytest.mark.parametrize(
    ("kind", "pattern", "name", "expected"),
    [
        ("exact", "t.co", "t.co", True),
        ("exact", "t.co", "T.CO", True),
        ("exact", "t.co", "t.co.", False),
        ("exact", "t.co", "reddit.com", False),
        ("suffix", "twitter.com", "throttletwitter.com", True),
        ("suffix", ".twimg.com", "abs.twimg.com", True),
        ("suffix", ".twimg.com", "twimg.com", False),
        ("suffix", ".twimg.com", "abs.twimg.com.example.org", False),
        ("substring", "t.co", "microsoft.com", True),
        ("substring", "T.CO", "microsoft.com", True),
        ("substring", "t.co", "example.org", False),
        ("regex", r"(^|\.)t\.co$", "x.t.co", True),
        ("regex", r"(^|\.)t\.co$", "x.T.CO", True),
        ("regex", r"(^|\.)t\.co$", "xt.co", False),
    ],
)
def test_names(kind: str, pattern: str, name: str, *, expected: bool) -> None:
    assert matches(kind, pattern, name) is expected


def test_the_first_rule_in_order_is_reported() -> None:
    rules = RuleSet(
        (
            Rule("re", "regex", (r"^twitter\.com$",)),
            Rule("exact", "exact", ("twitter.com",)),
            Rule("s", "suffix", ("com",)),
        )
    )
    assert rules.match_name("twitter.com") == Match("re", r"^twitter\.com$")
    assert rules.match_name("example.com") == Match("s", "com")


@pytest.mark.parametrize(
    ("pattern", "address", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.200", True),
        ("192.0.2.0/24", "192.0.3.1", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("0.0.0.0/0", "203.0.113.5", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("2001:db8::/32", "2001:db8:1::1", True),
    ],
)
def test_addresses(pattern: str, address: str, *, expected: bool) -> None:
    rules = RuleSet((Rule("r", "address", (pattern,)),))
    assert (rules.match_address(ip_address(address).packed) == Match("r", pattern)) is expected


def test_a_rule_for_everything_matches_any_address_and_no_name() -> None:
    rules = RuleSet((Rule("all", "any", ("traffic",)),))
    assert rules.match_address(bytes(4)) == Match("all", "traffic")
    assert rules.match_name("twitter.com") is None


@pytest.mark.parametrize(
    ("rule", "key", "expected"),
    [
        ({"exact": []}, "rules.0.exact", "expected one pattern or more"),
        ({"exact": [""]}, "rules.0.exact", "expected text, got ''"),
        ({"exact": ["t.co", 3]}, "rules.0.exact", "expected text, got 3"),
        ({"glob": ["*"]}, "rules.0.glob", "unknown key"),
        ({"regex": ["("]}, "rules.0.regex", "regular expression '(': missing )"),
        ({"address": ["192.0.2.1/24"]}, "rules.0.address", "192.0.2.1/24 has host bits set"),
        ({"exact": "t.co", "suffix": "t.co"}, "rules.0", "expected exactly one of exact, suffix"),
        ({}, "rules.0", "expected exactly one of exact, suffix"),
        ({"exact": "t.co", "id": ""}, "rules.0.id", "expected text, got ''"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused(rule: dict[str, object], key: str, expected: str) -> None:
    assert problems(rules=[{"id": "r"} | rule])[key].startswith(expected)


def test_one_pattern_stands_for_a_list_of_one() -> None:
    assert problems(rules=[{"id": "r", "exact": "t.co"}]) == {}
    assert Rule.from_dict({"id": "r", "exact": "t.co"}) == Rule.from_dict({"id": "r", "exact": ["t.co"]})


def test_an_expression_is_not_tried_on_a_name_too_long_for_dns() -> None:
    assert not matches("regex", "^a+$", "a" * 256)
    assert matches("regex", "^a+$", "a" * 255)


@given(st.text(max_size=30), st.text(min_size=1, max_size=4))
def test_suffix_implies_substring_and_exact_implies_suffix(name: str, pattern: str) -> None:
    if matches("exact", pattern, name):
        assert matches("suffix", pattern, name)
    if matches("suffix", pattern, name):
        assert matches("substring", pattern, name)


def test_a_protocol_matches_whatever_its_recogniser_recognises() -> None:
    rules = RuleSet((Rule("first", "protocol", ("tls", "quic")), Rule("second", "protocol", ("tls",))))
    assert rules.match_protocol("tls") == Match("first", "tls")
    assert rules.match_protocol("quic") == Match("first", "quic")
    assert rules.match_protocol("http") is None
