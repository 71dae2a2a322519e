"""Links, addresses and routes: the requests, and reading links back."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from testbed.netlink.socket import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NetlinkSocket,
    Request,
    attribute,
    attributes,
    nested,
)

RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_GETADDR, RTM_NEWROUTE, RTM_NEWNEIGH = 16, 18, 20, 22, 24, 28
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER = 1, 3, 4, 10
IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_NET_NS_FD = 16, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFLA_BR_MCAST_SNOOPING = 23
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFA_F_NODAD, IFA_F_DADFAILED, IFA_F_TENTATIVE = 0x02, 0x08, 0x40
RTA_DST, RTA_GATEWAY = 1, 5
NDA_DST, NDA_LLADDR = 1, 2
NUD_PERMANENT = 0x80
IFF_UP = 0x1
_OPERATIONAL = b"\x06"  # linux/if.h, IF_OPER_UP
RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST = 254, 4, 0, 1

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")


@dataclass(frozen=True, slots=True)
class End:
    """One end of a veth pair: where it goes and what it is called there."""

    name: str
    namespace_fd: int
    mac: str | None = None


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link as the kernel has it. It is up when it has been told so, and sends once its far end is up, too."""

    index: int
    name: str
    mtu: int
    up: bool
    sends: bool


@dataclass(frozen=True, slots=True)
class AddressState:
    """An address as the kernel has it, and the link that it is on."""

    index: int
    address: str


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _end_attributes(end: End, mtu: int) -> list[bytes]:
    parts = [
        attribute(IFLA_IFNAME, end.name.encode() + b"\0"),
        attribute(IFLA_MTU, struct.pack("=I", mtu)),
        attribute(IFLA_NET_NS_FD, struct.pack("=i", end.namespace_fd)),
    ]
    if end.mac is not None:
        parts.append(attribute(IFLA_ADDRESS, _mac(end.mac)))
    return parts


def add_veth(first: End, second: End, *, mtu: int) -> Request:
    """Make a veth pair, each end in its own namespace. MTU in bytes."""
    header = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    peer = nested(VETH_INFO_PEER, header + b"".join(_end_attributes(second, mtu)))
    info = nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"veth"), nested(IFLA_INFO_DATA, peer))
    body = header + b"".join(_end_attributes(first, mtu)) + info
    return Request(
        RTM_NEWLINK, body, flags=NLM_F_CREATE | NLM_F_EXCL, what=f"add the link {first.name} - {second.name}"
    )


def add_link(name: str, kind: str) -> Request:
    """Make a link that needs no parameters, such as a ``dummy``."""
    return _new_link(name, kind)


def _new_link(name: str, kind: str, *parameters: bytes) -> Request:
    data = [nested(IFLA_INFO_DATA, *parameters)] if parameters else []
    body = (
        _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        + attribute(IFLA_IFNAME, name.encode() + b"\0")
        + nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, kind.encode()), *data)
    )
    return Request(RTM_NEWLINK, body, flags=NLM_F_CREATE | NLM_F_EXCL, what=f"add the {kind} {name}")


def add_bridge(name: str) -> Request:
    """Make a bridge that sends nothing of its own.

    One that looks at who is in which multicast group, as most kernels' bridges do, joins the group of those that look
    (224.0.0.106, RFC 4286), and says so on every port.
    """
    return _new_link(name, "bridge", attribute(IFLA_BR_MCAST_SNOOPING, b"\0"))


def set_link(index: int, *, up: bool | None = None, master: int | None = None, mac: str | None = None) -> Request:
    """Change a link: up or down, its bridge (0 for none), its MAC address."""
    flags, change = (IFF_UP if up else 0, IFF_UP) if up is not None else (0, 0)
    body = _LINK.pack(socket.AF_UNSPEC, 0, index, flags, change)
    if master is not None:
        body += attribute(IFLA_MASTER, struct.pack("=I", master))
    if mac is not None:
        body += attribute(IFLA_ADDRESS, _mac(mac))
    return Request(RTM_NEWLINK, body, what=f"change link {index}")


def add_address(index: int, address: str, prefix_length: int) -> Request:
    """Put an IPv4 or IPv6 address on a link. Nobody is asked whether he has an IPv6 address already."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    body = (
        _ADDRESS.pack(family, prefix_length, IFA_F_NODAD if family == socket.AF_INET6 else 0, 0, index)
        + attribute(IFA_LOCAL, packed)
        + attribute(IFA_ADDRESS, packed)
    )
    return Request(
        RTM_NEWADDR,
        body,
        flags=NLM_F_CREATE | NLM_F_EXCL,
        what=f"give link {index} the address {address}/{prefix_length}",
    )


def add_route(destination: str, prefix_length: int, gateway: str) -> Request:
    """Add a static route through a neighbour; ``0.0.0.0`` with prefix length 0 is the default route."""
    family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
    body = _ROUTE.pack(
        family, prefix_length, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0
    ) + attribute(RTA_GATEWAY, socket.inet_pton(family, gateway))
    if prefix_length:
        body += attribute(RTA_DST, socket.inet_pton(family, destination))
    return Request(
        RTM_NEWROUTE, body, flags=NLM_F_CREATE, what=f"add the route {destination}/{prefix_length} via {gateway}"
    )


def add_neighbour(index: int, address: str, mac: str) -> Request:
    """Add a permanent neighbour entry, so that no first packet waits for address resolution."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    body = (
        _NEIGHBOUR.pack(family, index, NUD_PERMANENT, 0, 0)
        + attribute(NDA_DST, socket.inet_pton(family, address))
        + attribute(NDA_LLADDR, _mac(mac))
    )
    return Request(RTM_NEWNEIGH, body, flags=NLM_F_CREATE, what=f"add the neighbour {address} on link {index}")


def links(kernel: NetlinkSocket) -> dict[str, LinkState]:
    """Return the links of the socket's namespace, by name."""
    found: dict[str, LinkState] = {}
    for body in kernel.dump(RTM_GETLINK, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0), what="list the links"):
        _, _, index, flags, _ = _LINK.unpack_from(body)
        values = attributes(body[_LINK.size :])
        name = values[IFLA_IFNAME].rstrip(b"\0").decode()
        mtu = struct.unpack("=I", values[IFLA_MTU])[0]
        sends = values.get(IFLA_OPERSTATE) == _OPERATIONAL
        found[name] = LinkState(index=index, name=name, mtu=mtu, up=bool(flags & IFF_UP), sends=sends)
    return found


def ipv6_addresses(kernel: NetlinkSocket) -> list[AddressState]:
    """Return the IPv6 addresses of the socket's namespace that can be used."""
    found: list[AddressState] = []
    body = _ADDRESS.pack(socket.AF_INET6, 0, 0, 0, 0)
    for each in kernel.dump(RTM_GETADDR, body, what="list the IPv6 addresses"):
        family, _, flags, _, index = _ADDRESS.unpack_from(each)
        if family == socket.AF_INET6 and not flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED):
            packed = attributes(each[_ADDRESS.size :])[IFA_ADDRESS]
            found.append(AddressState(index, socket.inet_ntop(family, packed)))
    return found
