"""The nodes and links of a plan, by every name that they go by in a shell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.quantities import parse_duration
from testbed.report.table import format_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from testbed.scenario.plan import Plan

__all__ = ["Network", "Node", "network_of"]

_SHOWN = frozenset({"between", "seed", "toward", "delay_s", "rate_bps", "loss"})


@dataclass(frozen=True, slots=True)
class Node:
    """A node.

    Attributes:
        name: Its name in the topology.
        role: client, server, router or box.
        line: The access line that it belongs to; empty where it belongs to none.
        address: The first of its IPv4 addresses; empty for a box, which has none.
        serves: The scenario's names that lead to it.
    """

    name: str
    role: str
    line: str = ""
    address: str = ""
    serves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """A network as a shell knows it.

    Attributes:
        nodes: By name.
        links: Two nodes, and what is planned for the link between them, in words.
        aliases: Short names of nodes.
        sites: The scenario's DNS names.
        boxes: The nodes on which a censor's box stands.
    """

    nodes: Mapping[str, Node]
    links: tuple[tuple[str, str, str], ...]
    aliases: Mapping[str, str]
    sites: tuple[str, ...]
    boxes: tuple[str, ...]

    def find(self, word: str) -> Node | None:
        """Return the node that a word names; None: it names none."""
        return self.nodes.get(self.aliases.get(word, word))

    def node_table(self) -> str:
        """Return the nodes as a table."""
        short = {name: [alias for alias, node in self.aliases.items() if node == name] for name in self.nodes}
        rows = [
            (node.name, ", ".join(short[node.name]), self._role(node), node.line, node.address, ", ".join(node.serves))
            for node in self.nodes.values()
        ]
        return format_table(("node", "also", "role", "line", "address", "serves"), rows)

    def _role(self, node: Node) -> str:
        return node.role if node.role != "box" or node.name in self.boxes else "cable"

    def link_table(self) -> str:
        """Return the links as a table."""
        return format_table(("link", "", "as planned"), self.links)


def network_of(plan: Plan) -> Network:
    """Return the network of a plan."""
    topology, names = plan.topology, plan.data["names"]
    addresses: dict[str, str] = {}
    for segment in topology.segments:
        for end in (segment.left, segment.right):
            addresses.setdefault(end, segment.address(end))
    nodes: dict[str, Node] = {}
    for name in topology.nodes(sort=False):
        address = addresses.get(name, "")
        serves = tuple(site for site, at in names.items() if address and at == address)
        nodes[name] = Node(name, topology.role(name), str(topology.nodeInfo(name).get("line", "")), address, serves)
    boxes = tuple(name for name in nodes if name in plan.data["boxes"])
    return Network(nodes, tuple(_links(plan)), _aliases(nodes, boxes), tuple(names), boxes)


def _aliases(nodes: Mapping[str, Node], boxes: tuple[str, ...]) -> dict[str, str]:
    """Return short names: of the first client, box and server, and of each line's client. A node's own name goes first.

    The first line is the one that commands run on where nobody chooses.
    """
    clients = [node for node in nodes.values() if node.role == "client"]
    servers = [node for node in nodes.values() if node.role == "server"]
    wanted = {"client": clients[:1], "origin": servers[:1], **{node.line: [node] for node in clients}}
    wanted |= {f"{node.line}-client": [node] for node in clients}
    found = {alias: node.name for alias, some in wanted.items() for node in some}
    if boxes:
        found["box"] = boxes[0]
    return {alias: name for alias, name in found.items() if alias and alias not in nodes}


def _links(plan: Plan) -> Iterator[tuple[str, str, str]]:
    for first, second, info in plan.topology.iterLinks(withInfo=True):
        # Each end shapes what it sends: the first node's side is the way up.
        sides = (("up", info["params1"]), ("down", info["params2"]))
        rates = [f"{way} {side['bw']:g} Mbit/s" for way, side in sides if "bw" in side]
        delays = {f"{parse_duration(side['delay']) * 1000:g} ms" for _, side in sides if "delay" in side}
        words = [*sorted(delays), *rates]
        words += [f"{way} loss {side['loss']:g} %" for way, side in sides if side.get("loss")]
        more = _more(plan, first, second)
        words += [f"and as the scenario says: {', '.join(more)}"] if more else []
        yield first, second, ", ".join(words)


def _more(plan: Plan, first: str, second: str) -> list[str]:
    """Return which keys of the scenario's ``links`` say more of a link than its delay, rates and loss."""
    told = (each for each in plan.data["links"] if {first, second} == {*each["between"]} and not each.get("natural"))
    return sorted({key for each in told for key in each if key not in _SHOWN})
