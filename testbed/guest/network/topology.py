"""A Mininet Topo whose every hop is an IP hop: roles, parameters with units, addresses, routes, planned delays.

A topology file defines a subclass, lists its parameters in ``parameters`` and builds from them in ``construct``.
Addresses and routes follow by themselves: every pair of nodes that share a segment gets a /30, a middlebox is not a
node at this layer, and every router knows the shortest way to every client and server.
Works under ``mn --custom`` too, where parameters come as text from the command line.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, Unpack

from mininet.topo import Topo

from testbed.errors import ScenarioError
from testbed.guest.network.node import Box, Client, Router, Server
from testbed.guest.network.parameter import Parameter, ParameterError, count, delay, rate, share
from testbed.quantities import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a topology file takes from here: a topology, and its parameters.
__all__ = ["LinkOptions", "Parameter", "ParameterError", "RoutedTopo", "Segment", "count", "delay", "rate", "share"]

INFRASTRUCTURE = "10.0.0.0/8"
_MOST_NAMED = 20  # links in a message
_PORTS_OF_A_BOX = 2  # it is a bridge
_ANYWHERE = "0.0.0.0"  # noqa: S104 - the network of a default route; nothing is bound to it


class LinkOptions(TypedDict, total=False):
    """What a link may have beside its delay.

    Keys:
        up, down: Rates in bit/s, from the first node to the second and back; 0: no limit.
        queue: Packets of buffer at each end that has a rate.
        loss: Share of packets lost, drawn one by one, each way.
    """

    up: float
    down: float
    queue: int
    loss: float


_LINK_OPTIONS = frozenset(LinkOptions.__annotations__)


@dataclass(frozen=True, slots=True)
class Segment:
    """Two IP neighbours and the layer-2 nodes between them."""

    left: str
    left_interface: str
    right: str
    right_interface: str
    network: ipaddress.IPv4Network

    def address(self, node: str) -> str:
        """Return the node's address in this segment."""
        return str(self.network[1 if node == self.left else 2])  # a /30 has two hosts, as a segment has two ends


class RoutedTopo(Topo):  # type: ignore[misc]  # mininet has no types
    """A topology of roles, addresses and routes. Subclasses set ``parameters`` and override ``construct``."""

    parameters: ClassVar[dict[str, Parameter]] = {}

    def build(self, **given: object) -> None:
        """Parse the parameters, construct, address and route.

        Raises:
            ParameterError: An unknown parameter or a value that does not fit.
        """
        unknown = sorted(set(given) - set(self.parameters))
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise ParameterError(unknown[0], f"unknown parameter (known: {known})")
        values = {}
        for name, parameter in self.parameters.items():
            try:
                values[name] = parameter.parse(given.get(name, parameter.default))
            except ValueError as error:
                raise ParameterError(name, str(error)) from error
        self.segments: list[Segment] = []
        self._trees: dict[str, dict[str, str]] = {}
        self._in_role: dict[str, list[str]] = {}
        self._clients: dict[str, str] = {}
        self.construct(**values)
        self._address()
        self._route()

    def construct(self, **values: Any) -> None:
        """Add nodes and links; the values are parsed (seconds, bit/s)."""
        raise NotImplementedError

    # What a topology file calls.

    def add_client(self, name: str, *, line: str, network: str) -> str:
        """Add the client of an access line; its access segment is numbered from ``network``."""
        self._clients.setdefault(line, name)
        return self._add(name, "client", cls=Client, line=line, network=network)

    def add_server(self, name: str, *, network: str) -> str:
        """Add an origin; its segment is numbered from ``network``."""
        return self._add(name, "server", cls=Server, network=network)

    def add_router(self, name: str) -> str:
        """Add an IP hop."""
        return self._add(name, "router", cls=Router)

    def add_box(self, name: str, *, line: str, kind: str, **place: int) -> str:
        """A middlebox place on a line; ``kind`` says which (``tspu``, ``blocker``). Link its subscriber side first.

        One that is empty but while an event moves the box there has its hop as ``after_hop``.
        """
        return self._add(name, "box", cls=Box, line=line, kind=kind, **place)

    def _add(self, name: str, role: str, **options: object) -> str:
        """Add a node; its interfaces get their addresses later."""
        if name in self.g.nodes():  # Mininet would let the second one take the first one's place
            raise ScenarioError(f"two nodes are called {name!r}: a {self.role(name)} and a {role}")
        self._in_role.setdefault(role, []).append(name)
        return str(self.addHost(name, ip=None, role=role, **options))

    def connect(self, first: str, second: str, *, delay_s: float = 0.0, **options: Unpack[LinkOptions]) -> None:
        """A link with the same delay each way. A box's own ports add none, so its captures show arrivals.

        Args:
            first: One of its two nodes.
            second: The other.
            delay_s: Each way, seconds.
            options: What else it has.

        Raises:
            ScenarioError: An option that would have no effect.
        """
        unknown = sorted(set(options) - _LINK_OPTIONS)
        if unknown:
            known = ", ".join(sorted(_LINK_OPTIONS))
            raise ScenarioError(
                f"the link of {first} and {second}: option {unknown[0]!r} would have no effect (known: {known})"
            )
        self._added += 1
        interfaces = self._next_interface(first), self._next_interface(second)
        sides = []
        for node, rate_bps in ((first, options.get("up")), (second, options.get("down"))):
            side: dict[str, float | str] = {}
            # Queues stand at a link's sending ends. A box's port has none, so that what its capture shows there leaves
            # at that very instant: the comparison of log and captures rests on it.
            if self.role(node) != "box":
                side["delay"] = f"{delay_s * 1000:.6f}ms"
                if options.get("loss"):
                    side["loss"] = options["loss"] * 100
                if rate_bps:
                    side["bw"] = rate_bps / 1e6
                    side["max_queue_size"] = options["queue"]
            sides.append(side)
        self.addLink(
            first, second, intfName1=interfaces[0], intfName2=interfaces[1], params1=sides[0], params2=sides[1]
        )

    def _next_interface(self, node: str) -> str:
        return f"eth{len(self.ports.get(node, {}))}"

    # What others ask.

    def role(self, node: str) -> str:
        """Return the role of a node."""
        return str(self.nodeInfo(node)["role"])

    def with_role(self, role: str) -> list[str]:
        """Return names of the nodes in a role, in the order they were added."""
        return list(self._in_role.get(role, []))

    def client_of(self, line: str) -> str:
        """Return the client of an access line. Raises KeyError."""
        return self._clients[line]

    def address_of(self, leaf: str) -> str:
        """Return the address of a client or server."""
        return next(segment.address(leaf) for segment in self.segments if leaf in (segment.left, segment.right))

    def links_in_words(self) -> str:
        """Return the links that may be named in a scenario, those of middleboxes left out, for messages."""
        named = [f"{a} and {b}" for a, b in self.iterLinks() if "box" not in {self.role(a), self.role(b)}]
        more = f", … {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        return ", ".join(named[:_MOST_NAMED]) + more

    def path(self, start: str, end: str) -> list[str]:
        """Return the nodes of the shortest way from start to end, both included, boxes too."""
        towards = self._tree(end)
        route = [start]
        while route[-1] != end:
            route.append(towards[route[-1]])
        return route

    def _tree(self, end: str) -> dict[str, str]:
        """Return the next node towards an end, from every node; kept, because many clients ask for few servers."""
        self._index()
        if end not in self._trees:
            towards = {end: end}
            queue = deque([end])
            while queue:
                node = queue.popleft()
                for neighbour in self._neighbours(node):
                    if neighbour not in towards:
                        towards[neighbour] = node
                        queue.append(neighbour)
            self._trees[end] = towards
        return self._trees[end]

    def delay_s(self, start: str, end: str) -> float:
        """Return the planned one-way delay along ``path``, without serialisation."""
        nodes = self.path(start, end)
        return sum(self._delay(a, b) for a, b in itertools.pairwise(nodes))

    def rtt_s(self, start: str, end: str) -> float:
        """Return the planned round-trip time without serialisation."""
        return self.delay_s(start, end) + self.delay_s(end, start)

    def _delay(self, source: str, target: str) -> float:
        for info in self._links_of(source):
            other = info["node2"] if info["node1"] == source else info["node1"]
            if other == target:
                side = info["params1"] if info["node1"] == source else info["params2"]
                return parse_duration(side.get("delay", 0))
        raise KeyError((source, target))

    # Addresses and routes.

    def _links_of(self, node: str) -> list[dict[str, Any]]:
        self._index()
        return self._by_node.get(node, [])

    def _index(self) -> None:
        """Make the index of links anew, and forget what came of the old one, when links have been added."""
        if self._indexed != self._added:
            self._trees.clear()
            self._by_node: dict[str, list[dict[str, Any]]] = {}
            for first, second, info in self.iterLinks(withInfo=True):
                self._by_node.setdefault(first, []).append(info)
                if second != first:
                    self._by_node.setdefault(second, []).append(info)
            self._indexed = self._added

    _indexed = -1
    _added = 0

    def _neighbours(self, node: str) -> Iterator[str]:
        for info in self._links_of(node):
            yield info["node2"] if info["node1"] == node else info["node1"]

    def _across(self, node: str, info: dict[str, Any]) -> tuple[str, str]:
        """Return the IP neighbour at the far end of a link, seen through boxes, and its interface there."""
        while True:
            far, interface = (
                (info["node2"], info["intfName2"]) if info["node1"] == node else (info["node1"], info["intfName1"])
            )
            if self.role(far) != "box":
                return far, interface
            links = self._links_of(far)
            if len(links) != _PORTS_OF_A_BOX:
                raise ScenarioError(f"middlebox {far} has {len(links)} links; it stands on a line and needs two")
            info = links[1] if links[0] is info else links[0]
            node = far

    def _address(self) -> None:
        pools: dict[str, Iterator[ipaddress.IPv4Network]] = {}
        seen: set[frozenset[tuple[str, str]]] = set()
        for node in self.nodes(sort=False):
            if self.role(node) == "box":
                continue  # a bridge: it has no address, and its two links are one segment
            for info in self._links_of(node):
                near = info["intfName1"] if info["node1"] == node else info["intfName2"]
                far, far_interface = self._across(node, info)
                ends = frozenset({(node, near), (far, far_interface)})
                if ends in seen:
                    continue  # each segment is met from both of its ends
                seen.add(ends)
                wanted = [self.nodeInfo(end).get("network") for end in (node, far)]
                pool = next((network for network in wanted if network), INFRASTRUCTURE)
                subnets = pools.setdefault(pool, ipaddress.IPv4Network(pool).subnets(new_prefix=30))
                segment = Segment(node, near, far, far_interface, next(subnets))
                self.segments.append(segment)
                self._write_address(node, near, segment)
                self._write_address(far, far_interface, segment)

    def _write_address(self, node: str, interface: str, segment: Segment) -> None:
        for info in self._links_of(node):
            for number in ("1", "2"):
                if info["node" + number] == node and info["intfName" + number] == interface:
                    info["params" + number]["ip"] = f"{segment.address(node)}/{segment.network.prefixlen}"

    def _route(self) -> None:
        leaves = self.with_role("client") + self.with_role("server")
        routers = set(self.with_role("router"))
        neighbours: dict[str, list[Segment]] = {}
        for segment in self.segments:
            neighbours.setdefault(segment.left, []).append(segment)
            neighbours.setdefault(segment.right, []).append(segment)
        for leaf in leaves:
            home = neighbours[leaf][0]
            self.nodeInfo(leaf)["routes"] = [(_ANYWHERE, 0, home.address(_other(home, leaf)))]
            self._route_to(leaf, home, neighbours, routers)

    def _route_to(self, leaf: str, home: Segment, neighbours: dict[str, list[Segment]], routers: set[str]) -> None:
        """Tell every router the next hop towards a leaf, breadth first from the leaf."""
        seen = {leaf}
        queue = deque([leaf])
        while queue:
            node = queue.popleft()
            for segment in neighbours[node]:
                other = _other(segment, node)
                # Clients and servers forward nothing: a way through one would be a dead end.
                if other in seen or other not in routers:
                    continue
                seen.add(other)
                queue.append(other)
                if node != leaf:  # who is beside the leaf has its network on an interface
                    route = (str(home.network.network_address), home.network.prefixlen, segment.address(node))
                    self.nodeInfo(other).setdefault("routes", []).append(route)


def _other(segment: Segment, node: str) -> str:
    return segment.right if segment.left == node else segment.left
