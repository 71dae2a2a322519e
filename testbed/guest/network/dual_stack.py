"""IPv6 beside IPv4 on a network that is built: addresses, routes, neighbours, and reading them back.

Every IPv4 address of a topology has its IPv6 address, in documentation space (RFC 3849): 10.0.0.1 is 2001:db8::a00:1.
So a topology needs to know nothing of it, and who reads one address knows the other. A network is as quiet as it is
with IPv4: neighbours are permanent, so nothing asks for them; nobody advertises or solicits a router; and no address
is looked for twice. Not for: link-local addresses, of which there are none.
"""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING

from testbed.errors import CertificateError
from testbed.netlink import ethtool, link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mininet.net import Mininet

    from testbed.guest.network.node import NamespaceNode
    from testbed.guest.network.topology import RoutedTopo, Segment

__all__ = ["add_ipv6", "check_ipv6", "ipv6_of"]

_PREFIX = int(ipaddress.IPv6Address("2001:db8::"))
_PREFIX_BITS = 96  # the rest is the IPv4 address
_ANYWHERE = "::"
_QUIET = {
    "addr_gen_mode": "1",  # none
    "accept_ra": "0",
    "router_solicitations": "0",
    "accept_dad": "0",
    "dad_transmits": "0",
    "use_tempaddr": "0",
    "mldv1_unsolicited_report_interval": "1",  # ms
    "mldv2_unsolicited_report_interval": "1",
}
_ROUTER = {"net/ipv6/conf/all/forwarding": "1", "net/ipv6/icmp/ratelimit": "0"}
# The kernel tells the groups that it joins, twice, and cannot be told not to. By then that is over, and no capture has
# begun.
_REPORTS_S = 0.2


def ipv6_of(address: str) -> str:
    """Return the IPv6 address that stands beside an IPv4 address."""
    return str(ipaddress.IPv6Address(_PREFIX | int(ipaddress.IPv4Address(address))))


def add_ipv6(network: Mininet, topology: RoutedTopo) -> None:
    """Give a built network IPv6, everywhere but on its boxes, which are bridges.

    Raises:
        NetlinkError: The kernel refused something.
        CertificateError: A link is down.
    """
    for node in _hosts(network, topology):
        # In this order: an interface that is switched on before it is quiet makes itself an address, and a router that
        # forwards joins groups, and reports them for seconds.
        quiet = {f"net/ipv6/conf/{name}/{key}": value for name in node.intfNames() for key, value in _QUIET.items()}
        more = _ROUTER if topology.role(node.name) == "router" else {}
        switched_on = {f"net/ipv6/conf/{name}/disable_ipv6": "0" for name in node.intfNames()}
        node.namespace.set_sysctls({**quiet, **more, **switched_on})
        # IPv6 begins on a link once the kernel has acted on its carrier, which it may put off for a second.
        silent = [name for name in node.intfNames() if not ethtool.has_carrier(node.namespace.control, name)]
        if silent:
            raise CertificateError(f"{node.name}:{silent[0]}: the link has no carrier, so IPv6 cannot begin on it")
    for near, near_interface, segment, far, far_interface in _ends(topology):
        ours, theirs = network[near].intf(near_interface), network[far].intf(far_interface)
        network[near].namespace.kernel.send([
            link.add_address(ours.index, ipv6_of(segment.address(near)), _prefix(segment.network.prefixlen)),
            link.add_neighbour(ours.index, ipv6_of(segment.address(far)), theirs.MAC()),
        ])  # fmt: skip
    for node in _hosts(network, topology):
        routes = topology.nodeInfo(node.name).get("routes", [])
        node.namespace.kernel.send([
            link.add_route(*((ipv6_of(to), _prefix(bits)) if bits else (_ANYWHERE, 0)), ipv6_of(gateway))
            for to, bits, gateway in routes
        ])  # fmt: skip
    time.sleep(_REPORTS_S)


def check_ipv6(network: Mininet, topology: RoutedTopo) -> int:
    """Read back from the kernel which IPv6 addresses there are.

    Returns:
        How many.

    Raises:
        CertificateError: A node has others than were planned, or one that it may not use.
    """
    planned: dict[str, dict[str, int]] = {}
    for near, near_interface, segment, _, _ in _ends(topology):
        address = ipv6_of(segment.address(near))
        planned.setdefault(near, {})[address] = network[near].intf(near_interface).index
    for name, wanted in planned.items():
        kernel = network[name].namespace.kernel
        loopback = link.links(kernel)["lo"].index
        found = {each.address: each.index for each in link.ipv6_addresses(kernel) if each.index != loopback}
        if found != wanted:
            raise CertificateError(f"{name}: IPv6 addresses: planned {wanted}, the kernel has {found}")
    return sum(map(len, planned.values()))


def _hosts(network: Mininet, topology: RoutedTopo) -> list[NamespaceNode]:
    return [node for node in network.hosts if topology.role(node.name) != "box"]


def _ends(topology: RoutedTopo) -> Iterator[tuple[str, str, Segment, str, str]]:
    """Yield each end of each segment: node and interface there, the segment, node and interface at the other end."""
    for segment in topology.segments:
        left, right = (segment.left, segment.left_interface), (segment.right, segment.right_interface)
        yield (*left, segment, *right)
        yield (*right, segment, *left)


def _prefix(bits: int) -> int:
    return _PREFIX_BITS + bits
