"""Lines as a parameter: what a line says itself is parsed, and what a topology cannot honour is refused."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.guest.network.build import topology_class
from testbed.guest.network.lines import LINE_OPTIONS, access_link, lines
from testbed.scenario import library

PLAIN = {"name": "a", "kind": "mobile", "tspu": True}


def parse(line: dict[str, Any], *options: str) -> dict[str, Any]:
    parsed = lines([PLAIN], options or tuple(LINE_OPTIONS)).parse([line])
    assert isinstance(parsed, list)
    only: dict[str, Any] = parsed[0]
    return only


def test_what_a_line_says_is_parsed_and_nothing_else_is_there() -> None:
    line = PLAIN | {"down": "4 Mbit/s", "delay": "20 ms", "loss": "2 %", "hops": 5}
    assert parse(line) == PLAIN | {"down": 4_000_000, "delay": 0.02, "loss": 0.02, "hops": 5}
    assert parse(PLAIN) == PLAIN


def test_an_access_link_has_the_lines_values_before_those_of_all() -> None:
    link = access_link(parse(PLAIN | {"down": "4 Mbit/s"}), rate_bps=9_000_000, delay_s=0.5)
    assert link == {"delay_s": 0.5, "up": 9_000_000, "down": 4_000_000, "queue": 200, "loss": 0.0}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"speed": 3}, r"line a: this topology cannot set 'speed' for a line alone \(it can: down, up\)"),
        ({"hops": 3}, "line a: this topology cannot set 'hops' for a line alone"),
        ({"down": "fast"}, "line a: down: expected a rate such as"),
        ({"kind": "dsl"}, "line a: expected a kind of mobile or landline, got 'dsl'"),
        ({"tspu": "yes"}, "line a: expected tspu to be true or false, got 'yes'"),
        ({"name": "a b"}, "expected a name of letters and digits"),
    ],
)
def test_what_a_topology_cannot_honour_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse(PLAIN | change, "down", "up")


@pytest.mark.parametrize("name", library.names("topologies"))
def test_every_packaged_topology_is_built_and_has_a_way_to_every_server(name: str) -> None:
    topology = topology_class(str(library.find("topologies", name)), name)()
    for client in topology.with_role("client"):
        for server in topology.with_role("server"):
            path = topology.path(client, server)
            assert path[0] == client
            assert path[-1] == server
            assert sum(topology.role(node) == "router" for node in path) >= 2
            assert topology.rtt_s(client, server) > 0


def test_a_line_of_russia2021_has_its_own_hops_and_places() -> None:
    cls = topology_class(str(library.find("topologies", "russia2021")), "russia2021")
    own = PLAIN | {"hops": 9, "box_after_hop": 2, "blocker_after_hop": 8, "delay": "50 ms"}
    topology = cls(lines=[own, PLAIN | {"name": "b"}])
    path = topology.path("a", "origin")
    assert path.index("a-tspu") == path.index("a-r2") + 1
    assert path.index("a-blocker") == path.index("a-r8") + 1
    assert "a-r9" in path
    assert "b-r8" not in topology.nodes()
    assert topology.rtt_s("a", "origin") - topology.rtt_s("b", "origin") == pytest.approx(2 * (0.035 + 2 * 0.0005))
    with pytest.raises(Exception, match=r"line a: box_after_hop: expected 1 to 2 \(one less than hops\), got 3"):
        cls(lines=[PLAIN | {"hops": 3}])
