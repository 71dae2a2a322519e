from __future__ import annotations

import pytest

from testbed.middlebox.adapters.ruleset import rules
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.packet import Direction
from tests.middlebox.build import profile

PORTS = {Direction.UP: "in0", Direction.DOWN: "out0"}


def queued(name: str) -> list[str]:
    """The rules that queue, without what they have in common."""
    used = profile(name)
    text = rules([(used, Inspector(used, seed=1).protocols)], PORTS)
    return [line.split(" meta mark set ")[0].strip() for line in text.splitlines() if "queue num 0" in line]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ru-tw-2021a", [(port, match) for port in PORTS.values() for match in ("ip protocol tcp",
                                                                               "meta protocol ip6 meta l4proto tcp")]),
        ("upstream-only", [("in0", "ip frag-off & 0x3fff != 0"),
                           ("in0", "meta protocol ip6 exthdr frag exists"), ("in0", "ip protocol tcp"),
                           ("in0", "meta protocol ip6 meta l4proto tcp")]),
        ("tele2-3g-up", [(port, f"meta protocol {version}") for port in PORTS.values() for version in ("ip", "ip6")]),
    ],
)  # fmt: skip
def test_what_the_box_looks_at_is_queued(name: str, expected: list[tuple[str, str]]) -> None:
    assert queued(name) == [f'iifname "{port}" {match}' for port, match in expected]


def test_decided_flows_pass_before_anything_is_queued() -> None:
    lines = rules([(profile(), frozenset({6}))], PORTS).splitlines()
    assert lines.index("    meta mark 1 accept") < next(n for n, line in enumerate(lines) if "queue" in line)
