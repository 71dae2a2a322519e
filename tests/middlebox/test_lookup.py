"""Which rule a flow matches, where rules ask for more than a pattern; through the box, since flows are its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.conformance.bench import Bench, Connection
from testbed.conformance.hellos import named_extensions
from testbed.middlebox.events import HelloSeen, PacketDropped, RuleMatched
from testbed.middlebox.packet import Direction
from testbed.middlebox.profile import Profile
from tests.middlebox.build import client_hello, extended, profile

if TYPE_CHECKING:
    from collections.abc import Mapping

TAINT = {"id": "r", "suffix": ["twitter.com"], "taints": {"what": "address", "lasts_s": 60.0}}
LINE = {"id": "r", "suffix": ["twitter.com"], "taints": {"what": "subscriber", "lasts_s": 60.0}}


def with_rules(*rules: Mapping[str, object], name: str = "ru-2022-IV", **changes: object) -> Profile:
    plain = profile(name).to_dict() | {"rules": list(rules)} | changes
    return Profile.from_dict(plain)


def matched(bench: Bench) -> list[str]:
    return [event.rule for event in bench.events if isinstance(event, RuleMatched)]


def begin(bench: Bench, name: str | None, port: int, *, server: str = "192.0.2.1", inside: str = "10.0.0.1") -> Bench:
    bench.connection = Connection(inside, server, inside_port=port)
    return bench.connect().up(client_hello(name))


@pytest.mark.parametrize(("what", "server", "expected"), [
    ("address", "192.0.2.1", 2), ("address", "192.0.2.9", 1), ("subscriber", "192.0.2.9", 2),
])  # fmt: skip
def test_a_taint_reaches_later_flows_of_its_subscriber(what: str, server: str, expected: int) -> None:
    bench = Bench(with_rules(TAINT if what == "address" else LINE))
    begin(begin(bench, "twitter.com", 1), None, 2, server=server)
    assert len(matched(bench)) == expected
    begin(bench, None, 3, server=server, inside="10.0.0.9")
    assert len(matched(bench)) == expected


def test_a_tainted_flow_prolongs_nothing_and_a_named_one_does_once_it_is_over() -> None:
    bench = Bench(with_rules(TAINT))
    begin(bench, "twitter.com", 1)
    for port in (2, 3, 4):
        bench.wait(25)
        begin(bench, None, port)
    assert len(matched(bench)) == 3  # at 0, 25 and 50 s, not at 75 s
    begin(bench, "twitter.com", 5)
    begin(bench, None, 6)
    assert len(matched(bench)) == 5


def test_a_tainted_line_reaches_flows_that_go_on_and_the_box_keeps_seeing_them() -> None:
    bench = Bench(with_rules(LINE))
    begin(bench, "example.org", 1, server="192.0.2.9")
    going_on = bench.connection
    bench.loses(Direction.DOWN)
    assert not bench.inspector.leaves_alone(going_on.up(b"").key)
    begin(bench, "twitter.com", 2)
    bench.connection = going_on
    bench.events.clear()
    bench.down(b"x", b"x")
    assert matched(bench) == ["r"]
    assert bench.of_type(PacketDropped)


def test_an_exempt_address_is_not_tainted() -> None:
    exempt = [{"id": "e", "address": ["192.0.2.9"]}]
    bench = Bench(with_rules(LINE, exempt=exempt))
    begin(begin(bench, "twitter.com", 1), None, 2, server="192.0.2.9")
    assert len(matched(bench)) == 1


def test_a_rule_that_asks_for_an_extension_is_not_met_by_an_address_alone() -> None:
    rule = {"id": "r", "address": ["192.0.2.0/24"], "extensions": ["delegated_credential"]}
    bench = Bench(with_rules(rule, trigger=profile("ru-2022-IV").trigger.to_dict() | {"address_rules": "hello"}))
    begin(bench, "example.org", 1)
    assert not matched(bench)
    bench.connection = Connection(inside_port=2)
    bench.connect().up(extended(client_hello("example.org"), named_extensions("delegated_credential")))
    assert matched(bench) == ["r"]


def test_a_hello_that_a_rule_is_not_about_is_not_counted() -> None:
    rule = {
        "id": "r", "regex": ["."], "extensions": ["delegated_credential"],
        "repeated": {"times": 2, "within_s": 9.0, "lasts_s": 9.0, "network": 24},
    }  # fmt: skip
    bench = Bench(with_rules(rule))
    browser = extended(client_hello("example.org"), named_extensions("delegated_credential"))
    for port, hello in enumerate((browser, client_hello("example.com"), client_hello("example.org"), browser)):
        assert not matched(bench)
        bench.connection = Connection(inside_port=1000 + port)
        bench.connect().up(hello)
    assert matched(bench) == ["r"]
    assert len(bench.of_type(HelloSeen)) == 4
