"""What rules ask beyond their patterns."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.profile.conditions import EXTENSIONS, Conditions, network_of
from testbed.middlebox.profile.rules import Rule, RuleSet

SERVER = ip_address("192.0.2.1").packed
ECH = EXTENSIONS["encrypted_client_hello"]


@pytest.mark.parametrize(
    ("conditions", "extensions", "expected"),
    [
        (Conditions([], [], []), set(), True),
        (Conditions(["192.0.2.0/24"], [], []), set(), True),
        (Conditions(["198.51.100.0/24", "192.0.2.0/24"], [], []), set(), True),
        (Conditions(["198.51.100.0/24"], [], []), set(), False),
        (Conditions([], ["192.0.2.1"], []), set(), False),
        (Conditions(["192.0.2.0/24"], ["192.0.2.1"], []), set(), False),
        (Conditions([], [], ["encrypted_client_hello"]), {0, ECH}, True),
        (Conditions([], [], ["encrypted_client_hello", "padding"]), {0, ECH}, False),
    ],
)
def test_conditions_hold_where_all_of_them_do(conditions: Conditions, extensions: set[int], *, expected: bool) -> None:
    assert conditions.hold(SERVER, extensions) is expected


@given(st.ip_addresses(), st.integers(1, 32))
def test_a_network_is_what_the_standard_library_says_it_is(address: object, length: int) -> None:
    found = ip_address(str(address))
    prefix = length if found.version == 4 else 2 * length
    expected = ip_network(f"{found}/{prefix}", strict=False).network_address.packed
    assert network_of(found.packed, length) == expected


def test_a_rule_whose_conditions_do_not_hold_leaves_the_next_one_its_match() -> None:
    rules = RuleSet((
        Rule("there", "suffix", (".org",), at=("198.51.100.0/24",)), Rule("anywhere", "suffix", (".org",)),
    ))  # fmt: skip
    for server, expected in ((b"\xc6\x33\x64\x01", "there"), (SERVER, "anywhere")):
        found = rules.match_name("example.org", lambda rule, at=server: rules.conditions_hold(rule, at, ()))  # type: ignore[misc]  # a default binds the loop's value
        assert found is not None
        assert found.rule == expected
