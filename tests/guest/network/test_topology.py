"""Every hop is an IP hop: addresses are unique, and routes lead from every client to every server and back."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.guest.network.build import topology_class
from testbed.guest.network.topology import (
    ParameterError,
    RoutedTopo,
    count,
    delay,
    rate,
)
from testbed.scenario import library
from tests.scenario.plans import first_day

RUSSIA = topology_class(str(library.find("topologies", "russia2021")), "russia2021")


class Home(RoutedTopo):
    """One line with a box, and one server."""

    parameters = {"hop_delay": delay("10 ms", "each way"), "up": rate("5 Mbit/s", "up"), "queue": count(20, "packets")}  # noqa: RUF012

    def construct(self, **values: Any) -> None:
        router = self.add_router("r1")
        client = self.add_client("home", line="home", network="100.64.0.0/10")
        box = self.add_box("tspu", line="home", kind="tspu")
        self.connect(
            client, box, delay_s=values["hop_delay"], up=values["up"], down=values["up"], queue=values["queue"]
        )
        self.connect(box, router, delay_s=values["hop_delay"])
        self.connect(router, self.add_server("origin", network="198.51.100.0/24"))


def interface_address(topology: RoutedTopo, node: str) -> dict[str, str]:
    """Address by interface of a node."""
    found = {}
    for segment in topology.segments:
        for end, interface in ((segment.left, segment.left_interface), (segment.right, segment.right_interface)):
            if end == node:
                found[interface] = segment.address(node)
    return found


def deliver(topology: RoutedTopo, start: str, destination: str) -> list[str]:
    """The nodes that a packet passes, by the longest prefix in each node's routes."""
    owner = {segment.address(end): end for segment in topology.segments for end in (segment.left, segment.right)}
    target = ipaddress.IPv4Address(destination)
    way = [start]
    while owner[destination] != way[-1] and len(way) < 64:
        node = way[-1]
        beside = [each for each in topology.segments if node in (each.left, each.right) and target in each.network]
        if beside:
            way.append(owner[destination])
            continue
        routes = [
            (length, gateway)
            for network, length, gateway in topology.nodeInfo(node).get("routes", [])
            if target in ipaddress.IPv4Network(f"{network}/{length}")
        ]
        way.append(owner[max(routes)[1]])
    return way


@settings(max_examples=20)
@given(st.data())
def test_every_client_reaches_every_server_and_is_reached_from_it(data: st.DataObject) -> None:
    hops = data.draw(st.integers(2, 9))
    places = st.integers(1, hops - 1)
    drawn = data.draw(
        st.lists(st.tuples(st.sampled_from(["mobile", "landline"]), st.booleans()), min_size=1, max_size=4)
    )
    lines = [{"name": f"line{number}", "kind": kind, "tspu": tspu} for number, (kind, tspu) in enumerate(drawn)]
    topology = RUSSIA(hops=hops, box_after_hop=data.draw(places), blocker_after_hop=data.draw(places), lines=lines)
    addresses = [address for node in topology.nodes() for address in interface_address(topology, node).values()]
    assert len(set(addresses)) == len(addresses)
    for client, server in itertools.product(topology.with_role("client"), topology.with_role("server")):
        there = deliver(topology, client, topology.address_of(server))
        back = deliver(topology, server, topology.address_of(client))
        assert there[-1] == server
        assert back == there[::-1]
        assert [node for node in topology.path(client, server) if topology.role(node) != "box"] == there
        assert topology.rtt_s(client, server) == pytest.approx(2 * topology.delay_s(client, server))


def test_a_box_is_no_hop_and_has_no_address() -> None:
    topology = Home()
    assert deliver(topology, "home", topology.address_of("origin")) == ["home", "r1", "origin"]
    assert topology.path("home", "origin") == ["home", "tspu", "r1", "origin"]
    assert interface_address(topology, "tspu") == {}


def test_subscribers_and_servers_are_numbered_from_their_networks() -> None:
    topology = Home()
    assert ipaddress.IPv4Address(topology.address_of("home")) in ipaddress.IPv4Network("100.64.0.0/10")
    assert ipaddress.IPv4Address(topology.address_of("origin")) in ipaddress.IPv4Network("198.51.100.0/24")


def test_a_boxs_own_ports_add_no_delay() -> None:
    topology = Home(hop_delay="20 ms")
    assert topology.delay_s("home", "origin") == pytest.approx(0.02)
    assert topology.delay_s("origin", "home") == pytest.approx(0.02)


def test_rates_are_on_the_ends_that_send() -> None:
    topology = Home(up="8 Mbit/s")
    options = {
        info["node" + number]: info["params" + number]
        for _, _, info in topology.iterLinks(withInfo=True)
        for number in ("1", "2")
        if {info["node1"], info["node2"]} == {"home", "tspu"}
    }
    assert options["home"]["bw"] == 8.0
    assert options["home"]["max_queue_size"] == 20
    assert "bw" not in options["tspu"]


def test_a_box_with_one_link_is_refused() -> None:
    class Loose(RoutedTopo):
        def construct(self, **_: Any) -> None:
            self.connect(
                self.add_client("c", line="c", network="100.64.0.0/10"), self.add_box("b", line="c", kind="tspu")
            )

    with pytest.raises(ScenarioError, match="middlebox b has 1 links; it stands on a line and needs two"):
        Loose()


def test_a_line_that_is_not_there_has_no_client() -> None:
    with pytest.raises(KeyError, match="office"):
        Home().client_of("office")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"speed": 1}, r"topology parameter speed: unknown parameter \(known: hop_delay, up, queue\)"),
        ({"hop_delay": 10}, "topology parameter hop_delay: expected a duration such as '95 ms', got 10: the unit is"),
        ({"hop_delay": "61 s"}, "topology parameter hop_delay: expected at most 60 s, got '61 s'"),
        ({"up": "999 bit/s"}, "topology parameter up: expected a rate from 1 kbit/s to 30 Gbit/s, got '999 bit/s'"),
        ({"up": "31 Gbit/s"}, "topology parameter up: expected a rate from 1 kbit/s to 30 Gbit/s, got '31 Gbit/s'"),
        ({"queue": "many"}, "topology parameter queue: expected a whole number, got 'many'"),
        ({"queue": 10**6}, "topology parameter queue: expected a whole number of at most 6 digits, got 1000000"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_by_name(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(ParameterError, match=problem):
        Home(**parameters)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"hops": 51}, "hops: expected at most 50, or packets die on the way, got 51"),
        ({"hops": 1}, "box_after_hop: expected 1 to 0"),
        ({"hops": 4}, r"blocker_after_hop: expected 1 to 3 \(one less than hops\), got 6"),
        ({"box_after_hop": 0}, r"box_after_hop: expected 1 to 6 \(one less than hops\), got 0"),
        ({"lines": []}, "lines: expected a list of lines, each with name, kind and tspu"),
        ({"lines": "mobile"}, "lines: expected a list of lines"),
        ({"lines": [{"name": "a"}]}, "lines: expected a line with name, kind and tspu, got "),
        ({"lines": [{"name": "a b", "kind": "mobile", "tspu": True}]}, "lines: expected a name of letters and digits"),
        ({"lines": [{"name": "a", "kind": "dsl", "tspu": True}]}, "line a: expected a kind of mobile or landline"),
        ({"lines": [{"name": "a", "kind": "mobile", "tspu": 1}]}, "line a: expected tspu to be true or false, got 1"),
    ],
)  # fmt: skip
def test_russia2021_refuses_what_it_cannot_build(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(ParameterError, match=problem):
        RUSSIA(**parameters)


def test_two_nodes_of_one_name_are_refused() -> None:
    class Twice(RoutedTopo):
        def construct(self, **_: Any) -> None:
            self.add_router("core")
            self.add_server("core", network="198.51.100.0/24")

    with pytest.raises(ScenarioError, match="two nodes are called 'core': a router and a server"):
        Twice()


def test_links_are_named_for_messages_without_those_of_boxes() -> None:
    topology = first_day().topology
    words = topology.links_in_words()
    assert words.startswith("mobile and mobile-r1, ")
    assert "tspu" not in words
    assert words.endswith(" more")
