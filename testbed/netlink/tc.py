"""Traffic control: HTB, netem and clsact, flower filters with police actions, and reading them back.

Rates are bytes per second, times nanoseconds, sizes bytes. The kernel's own unit of burst is a time in ticks of 64 ns
(PSCHED_SHIFT, include/net/pkt_sched.h).
"""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass

from testbed.netlink.netem import Netem
from testbed.netlink.queue import Queue
from testbed.netlink.socket import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NetlinkError,
    NetlinkSocket,
    Request,
    attribute,
    attributes,
    nested,
)

RTM_NEWQDISC, RTM_GETQDISC, RTM_NEWTCLASS, RTM_GETTCLASS = 36, 38, 40, 42
RTM_NEWTFILTER, RTM_DELTFILTER, RTM_GETTFILTER = 44, 45, 46
TC_H_ROOT = 0xFFFFFFFF
TC_H_CLSACT = 0xFFFFFFF1
CLSACT_HANDLE = 0xFFFF0000
INGRESS = 0xFFFFFFF2
TCA_KIND, TCA_OPTIONS, TCA_STATS2 = 1, 2, 7
TCA_HTB_PARMS, TCA_HTB_INIT = 1, 2
TCA_TBF_PARMS = 1
TCA_FLOWER_ACT, TCA_FLOWER_KEY_ETH_TYPE, TCA_FLOWER_KEY_IP_PROTO = 3, 8, 9
TCA_FLOWER_KEY_IPV4_SRC, TCA_FLOWER_KEY_IPV6_SRC = 10, 14
TCA_FLOWER_KEY_TCP_SRC, TCA_FLOWER_KEY_UDP_SRC = 18, 20
TCA_FLOWER_KEY_TCP_FLAGS, TCA_FLOWER_KEY_TCP_FLAGS_MASK = 71, 72
TCA_ACT_KIND, TCA_ACT_OPTIONS, TCA_ACT_STATS = 1, 2, 4
TCA_STATS_BASIC, TCA_STATS_QUEUE = 1, 3
TCA_POLICE_TBF, TCA_POLICE_RATE, TCA_POLICE_RESULT, TCA_POLICE_TM = 1, 2, 5, 6
TCA_SKBEDIT_PARMS, TCA_SKBEDIT_MARK = 2, 5
TCA_MIRRED_PARMS, TCA_EGRESS_REDIR = 2, 1
TC_ACT_OK, TC_ACT_PIPE, TC_ACT_STOLEN = 0, 3, 4
LINKLAYER_ETHERNET = 1
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
NS_PER_TICK = 64
NS_PER_S = 1_000_000_000
TICKS_PER_USER_HZ_S = 100  # USER_HZ: the unit of tcf_t in TCA_POLICE_TM

_IPV6_BYTES = 16
_TCMSG = struct.Struct("=BxxxiIII")
_RATE_TABLE = bytes(1024)  # asked for by the kernel, read only where the link layer is unknown
_CELL_LOG = 3
_MAX_PACKET = 65535
_MOST_TICKS = 60 * NS_PER_S // NS_PER_TICK  # HTB keeps no longer time than this (mbuffer, net/sched/sch_htb.c)


def handle(major: int, minor: int = 0) -> int:
    """Return the number of ``major:minor``."""
    return major << 16 | minor


def _ratespec(rate: int) -> bytes:
    return struct.pack("=BBHhHI", _CELL_LOG, LINKLAYER_ETHERNET, 0, 0, 0, rate)


def _qdisc(index: int, parent: int, number: int, kind: str, options: bytes, *, what: str) -> Request:
    body = _TCMSG.pack(socket.AF_UNSPEC, index, number, parent, 0) + attribute(TCA_KIND, kind.encode() + b"\0")
    if options:
        body += attribute(TCA_OPTIONS, options)
    return Request(RTM_NEWQDISC, body, flags=NLM_F_CREATE | NLM_F_EXCL, what=what)


def add_htb(index: int, rate: int, burst_bytes: int) -> list[Request]:
    """Put on an HTB root ``5:`` with one class ``5:1`` that everything goes through, as Mininet's TCLink builds it."""
    glob = attribute(TCA_HTB_INIT, struct.pack("=IIIII", 3, 10, 1, 0, 0))
    root = _qdisc(index, TC_H_ROOT, handle(5), "htb", glob, what=f"put HTB on link {index}")
    return [root, _htb_class(index, rate, burst_bytes, flags=NLM_F_CREATE | NLM_F_EXCL)]


def change_htb(index: int, rate: int, burst_bytes: int) -> Request:
    """Change the rate of the class that `add_htb` made; what waits goes on waiting, for less long or longer."""
    return _htb_class(index, rate, burst_bytes, flags=0)


def _htb_class(index: int, rate: int, burst_bytes: int, *, flags: int) -> Request:
    ticks = min(burst_bytes * NS_PER_S // rate // NS_PER_TICK, _MOST_TICKS)
    parameters = _ratespec(rate) * 2 + struct.pack("=IIIII", ticks, ticks, 0, 0, 0)
    body = (
        _TCMSG.pack(socket.AF_UNSPEC, index, handle(5, 1), handle(5), 0)
        + attribute(TCA_KIND, b"htb\0")
        + nested(TCA_OPTIONS, attribute(TCA_HTB_PARMS, parameters))
    )
    return Request(RTM_NEWTCLASS, body, flags=flags, what=f"limit link {index} to {rate} bytes per second")


def add_bfifo(index: int, parent: int, limit_bytes: int) -> Request:
    """Put a queue ``20:`` of so many bytes below ``parent``."""
    options = struct.pack("=I", limit_bytes)
    return _qdisc(index, parent, handle(0x20), "bfifo", options, what=f"put a queue on link {index}")


def add_tbf(index: int, rate: int, ticks: int, limit_bytes: int) -> Request:
    """A token bucket filter ``6:`` as root, with a queue of so many bytes; ``ticks``: its burst, as in `police`."""
    parameters = _ratespec(rate) + _ratespec(0) + struct.pack("=III", limit_bytes, ticks, 0)
    options = attribute(TCA_TBF_PARMS, parameters)
    return _qdisc(index, TC_H_ROOT, handle(6), "tbf", options, what=f"put a token bucket filter on link {index}")


def add_netem(index: int, parent: int, netem: Netem) -> Request:
    """Put a netem discipline ``10:`` (hexadecimal, as tc reads it) below ``parent``."""
    return _qdisc(index, parent, handle(0x10), "netem", netem.options(), what=f"put netem {netem} on link {index}")


def add_queue(index: int, parent: int, queue: Queue) -> Request:
    """Put a queue ``20:`` below ``parent``: what waits there waits for the link, not for its delay."""
    return _qdisc(index, parent, handle(0x20), queue.kind, queue.options(), what=f"put {queue} on link {index}")


def change_netem(state: QdiscState, netem: Netem) -> Request:
    """Change a netem discipline; what is queued in it stays queued."""
    index = state.index
    request = _qdisc(index, state.parent, state.handle, "netem", netem.options(), what=f"change netem on link {index}")
    request.flags = 0
    return request


def add_clsact(index: int) -> Request:
    """Add the hook that ingress filters hang on."""
    return _qdisc(index, TC_H_CLSACT, CLSACT_HANDLE, "clsact", b"", what=f"put clsact on link {index}")


# Filters. One flower filter a flow and direction; its actions decide the packet.


@dataclass(frozen=True, slots=True)
class FlowMatch:
    """One direction of a flow, as a flower filter matches it. Addresses are packed, four or sixteen bytes.

    ``without_flags``: TCP flags of which a packet must have none.
    """

    protocol: int
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int
    without_flags: int = 0


def skbedit_mark(mark: int, control: int) -> tuple[str, bytes]:
    """Set the packet's mark, then go on with ``control`` (TC_ACT_*)."""
    parameters = attribute(TCA_SKBEDIT_PARMS, struct.pack("=IIiii", 0, 0, control, 0, 0))
    return "skbedit", parameters + attribute(TCA_SKBEDIT_MARK, struct.pack("=I", mark))


def police(rate: int, ticks: int, *, exceed: int, conform: int) -> tuple[str, bytes]:
    """Describe a single-rate policer (net/sched/act_police.c).

    Args:
        rate: Bytes per second.
        ticks: Bucket depth as the kernel keeps it, the sending time of the burst in units of 64 ns.
        exceed: What happens to a packet over the limit (TC_ACT_*).
        conform: What happens to one within it.
    """
    parameters = (
        struct.pack("=IiIII", 0, exceed, 0, ticks, _MAX_PACKET)
        + _ratespec(rate)
        + bytes(12)
        + struct.pack("=iiI", 0, 0, 0)
    )
    return "police", (
        attribute(TCA_POLICE_TBF, parameters)
        + attribute(TCA_POLICE_RATE, _RATE_TABLE)
        + attribute(TCA_POLICE_RESULT, struct.pack("=i", conform))
    )


def redirect(index: int) -> tuple[str, bytes]:
    """Send the packet out of link ``index`` instead."""
    parameters = struct.pack("=IIiiiiI", 0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, index)
    return "mirred", attribute(TCA_MIRRED_PARMS, parameters)


def _is_ipv6(match: FlowMatch) -> bool:
    return len(match.source) == _IPV6_BYTES


def _match(match: FlowMatch) -> bytes:
    ether_type = socket.htons(ETH_P_IPV6 if _is_ipv6(match) else ETH_P_IP)
    address = TCA_FLOWER_KEY_IPV6_SRC if _is_ipv6(match) else TCA_FLOWER_KEY_IPV4_SRC
    port = TCA_FLOWER_KEY_TCP_SRC if match.protocol == socket.IPPROTO_TCP else TCA_FLOWER_KEY_UDP_SRC
    every_bit = b"\xff" * len(match.source)
    flags = b""
    if match.protocol == socket.IPPROTO_TCP and match.without_flags:
        flags = attribute(TCA_FLOWER_KEY_TCP_FLAGS, bytes(2))
        flags += attribute(TCA_FLOWER_KEY_TCP_FLAGS_MASK, struct.pack(">H", match.without_flags))
    return (
        attribute(TCA_FLOWER_KEY_ETH_TYPE, struct.pack("=H", ether_type))
        + attribute(TCA_FLOWER_KEY_IP_PROTO, struct.pack("=B", match.protocol))
        # The kernel numbers source, its mask, destination and its mask one after the other (linux/pkt_cls.h).
        + attribute(address, match.source)
        + attribute(address + 1, every_bit)
        + attribute(address + 2, match.destination)
        + attribute(address + 3, every_bit)
        + attribute(port, struct.pack(">H", match.source_port))
        + attribute(port + 1, struct.pack(">H", match.destination_port))
        + flags
    )


def _filter_header(index: int, number: int, match: FlowMatch) -> bytes:
    """Write the header with a priority, of which the kernel wants one for each protocol: IPv4 has 1, IPv6 has 2."""
    priority, ether_type = (2, ETH_P_IPV6) if _is_ipv6(match) else (1, ETH_P_IP)
    return _TCMSG.pack(socket.AF_UNSPEC, index, number, INGRESS, priority << 16 | socket.htons(ether_type))


def add_flow_filter(index: int, number: int, match: FlowMatch, actions: list[tuple[str, bytes]]) -> Request:
    """Add an ingress filter for one direction of a flow; ``number`` names it for reading and deleting."""
    chain = b"".join(
        nested(order, attribute(TCA_ACT_KIND, kind.encode() + b"\0"), nested(TCA_ACT_OPTIONS, options))
        for order, (kind, options) in enumerate(actions, start=1)
    )
    options = nested(TCA_OPTIONS, _match(match), nested(TCA_FLOWER_ACT, chain))
    body = _filter_header(index, number, match) + attribute(TCA_KIND, b"flower\0") + options
    return Request(RTM_NEWTFILTER, body, flags=NLM_F_CREATE | NLM_F_EXCL, what=f"add filter {number} on link {index}")


def delete_flow_filter(index: int, number: int, match: FlowMatch) -> Request:
    """Remove what ``add_flow_filter`` added."""
    body = _filter_header(index, number, match) + attribute(TCA_KIND, b"flower\0")
    return Request(RTM_DELTFILTER, body, what=f"delete filter {number} on link {index}")


# Reading back.


@dataclass(frozen=True, slots=True)
class QdiscState:
    """A queueing discipline as the kernel has it; ``netem`` and ``queue`` where it is one."""

    index: int
    kind: str
    handle: int
    parent: int
    netem: Netem | None
    queue: Queue | None = None


@dataclass(frozen=True, slots=True)
class RateState:
    """An HTB class as the kernel has it; rate in bytes per second."""

    index: int
    handle: int
    rate: int


@dataclass(frozen=True, slots=True)
class FilterState:
    """A flow filter's counters. ``idle_s``: time since its last packet, in steps of 10 ms; None before the first."""

    number: int
    packets: int
    drops: int
    rate: int | None
    idle_s: float | None


def qdiscs(kernel: NetlinkSocket) -> list[QdiscState]:
    """Return every queueing discipline of the namespace."""
    found: list[QdiscState] = []
    for body in kernel.dump(RTM_GETQDISC, _TCMSG.pack(0, 0, 0, 0, 0), what="list the queueing disciplines"):
        _, index, number, parent, _ = _TCMSG.unpack_from(body)
        values = attributes(body[_TCMSG.size :])
        kind = values[TCA_KIND].rstrip(b"\0").decode()
        netem = Netem.from_options(values[TCA_OPTIONS]) if kind == "netem" else None
        queue = Queue.from_options(kind, values.get(TCA_OPTIONS, b""))
        found.append(QdiscState(index=index, kind=kind, handle=number, parent=parent, netem=netem, queue=queue))
    return found


def htb_rates(kernel: NetlinkSocket, index: int) -> list[RateState]:
    """Return the HTB classes of one link."""
    found: list[RateState] = []
    for body in kernel.dump(RTM_GETTCLASS, _TCMSG.pack(0, index, 0, 0, 0), what=f"list the classes of link {index}"):
        _, owner, number, _, _ = _TCMSG.unpack_from(body)
        values = attributes(body[_TCMSG.size :])
        if values[TCA_KIND].rstrip(b"\0") != b"htb":
            continue
        parameters = attributes(values[TCA_OPTIONS])[TCA_HTB_PARMS]
        found.append(RateState(index=owner, handle=number, rate=struct.unpack_from("=I", parameters, 8)[0]))
    return found


def flow_filters(kernel: NetlinkSocket, index: int) -> dict[int, FilterState]:
    """Return the flow filters on a link's ingress, by number."""
    found: dict[int, FilterState] = {}
    request = _TCMSG.pack(0, index, 0, INGRESS, 0)
    for body in kernel.dump(RTM_GETTFILTER, request, what=f"list the filters of link {index}"):
        _, _, number, _, _ = _TCMSG.unpack_from(body)
        values = attributes(body[_TCMSG.size :])
        options = attributes(values.get(TCA_OPTIONS, b""))
        # A dump also has an entry for each priority, with number 0: it holds filters and is none.
        if number and TCA_FLOWER_ACT in options:
            found[number] = _decode_filter(number, options[TCA_FLOWER_ACT])
    return found


def flow_filter(kernel: NetlinkSocket, index: int, number: int, match: FlowMatch) -> FilterState | None:
    """Return one flow filter on a link's ingress, however many there are beside it; None if it is not there."""
    header = _filter_header(index, number, match) + attribute(TCA_KIND, b"flower\0")
    try:
        body = kernel.get(RTM_GETTFILTER, header, what=f"read filter {number} of link {index}")
    except NetlinkError as error:
        if error.code == errno.ENOENT:
            return None
        raise
    options = attributes(attributes(body[_TCMSG.size :])[TCA_OPTIONS])
    return _decode_filter(number, options[TCA_FLOWER_ACT])


def _decode_filter(number: int, chain: bytes) -> FilterState:
    packets, drops, rate, idle_s = 0, 0, None, None
    for action in attributes(chain).values():
        values = attributes(action)
        kind = values[TCA_ACT_KIND].rstrip(b"\0").decode()
        stats = attributes(values[TCA_ACT_STATS])
        # A flow's chain is skbedit, police, mirred. Every packet passes the first; only one over the limit comes to
        # the last, which takes it to the drop port.
        if kind == "skbedit":
            packets = struct.unpack_from("=QI", stats[TCA_STATS_BASIC])[1]
            idle_s = _idle(attributes(values[TCA_ACT_OPTIONS])[1], packets)
        elif kind == "police":
            rate = struct.unpack_from("=I", attributes(values[TCA_ACT_OPTIONS])[TCA_POLICE_TBF], 28)[0]
        elif kind == "mirred":
            drops = struct.unpack_from("=QI", stats[TCA_STATS_BASIC])[1]
    return FilterState(number=number, packets=packets, drops=drops, rate=rate, idle_s=idle_s)


def _idle(times: bytes, packets: int) -> float | None:
    """Return seconds since the action's last packet, from struct tcf_t."""
    if not packets:
        return None
    last_use: int = struct.unpack_from("=QQ", times)[1]
    return last_use / TICKS_PER_USER_HZ_S
