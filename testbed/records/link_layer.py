"""Where the IP datagram lies in a captured frame: the one place that knows link layers and what may lie between.

Read are Ethernet (with VLAN tags, LLC/SNAP, PPPoE, MPLS), Linux cooked captures, BSD loopback, PPP, Cisco HDLC and
raw IP. What carries IP inside IP (IPIP, 6in4, GRE) is found by `inner_datagram`: whether to look into it is the
caller's business, for a router does not.
"""

# ruff: noqa: PLR2004  offsets and sizes are those of the protocols

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "COOKED",
    "IPV4",
    "IPV6",
    "LINK_HEADERS",
    "LINK_NAMES",
    "NOT_IP",
    "TUNNELS",
    "find_datagram",
    "inner_datagram",
    "is_read",
]

NOT_IP: Final = "not IP"

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
_VLAN: Final = frozenset({0x8100, 0x88A8, 0x9100, 0x9200})
_MPLS: Final = frozenset({0x8847, 0x8848})
_PPPOE_SESSION: Final = 0x8864
_PPP_TYPES: Final = {0x0021: IPV4, 0x0057: IPV6, 0x0281: 0x8847, 0x0283: 0x8848}
_SHORTEST_TYPE: Final = 0x0600  # below it, the field is a length and LLC follows
_SNAP: Final = b"\xaa\xaa\x03\x00\x00\x00"
_ETHERNET: Final = 1
_PPP: Final = frozenset({9, 50, 204})
_PPP_ETHER: Final = 51
_PPP_WITH_DIRECTION: Final = 204
_MOST_LAYERS: Final = 16  # of tags, labels and sessions: more are no network, but bytes that happen to look so
COOKED: Final = frozenset({113, 276})
"""Link types of captures on all interfaces of a Linux host at once."""


class LinkHeader(NamedTuple):
    """A header of fixed size, and where in it an EtherType tells what follows; None where the IP version tells."""

    size: int
    type_at: int | None


# https://www.tcpdump.org/linktypes.html
LINK_HEADERS: Final[Mapping[int, LinkHeader]] = {
    0: LinkHeader(4, None),
    _ETHERNET: LinkHeader(14, 12),
    12: LinkHeader(0, None),
    14: LinkHeader(0, None),
    101: LinkHeader(0, None),
    104: LinkHeader(4, 2),
    108: LinkHeader(4, None),
    113: LinkHeader(16, 14),
    228: LinkHeader(0, None),
    229: LinkHeader(0, None),
    276: LinkHeader(20, 0),
}
LINK_NAMES: Final[Mapping[int, str]] = {
    105: "IEEE 802.11", 119: "Prism", 127: "radiotap", 163: "AVS", 192: "PPI", 147: "private", 187: "Bluetooth",
    189: "USB", 195: "IEEE 802.15.4", 201: "Bluetooth", 220: "USB", 227: "CAN", 239: "NFLOG", 249: "USB",
    252: "Wireshark upper PDU", 253: "netlink", 6: "token ring", 10: "FDDI", 11: "ATM", 7: "ARCNET",
}  # fmt: skip

_IN_IPV4, _IN_IPV6, _IN_GRE = 4, 41, 47
TUNNELS: Final[Mapping[int, str]] = {_IN_IPV4: "IPIP", _IN_IPV6: "6in4", _IN_GRE: "GRE"}
_GRE_ETHERNET: Final = 0x6558


def is_read(link_type: int) -> bool:
    """Return whether frames of this link type are read at all."""
    return link_type in LINK_HEADERS or link_type in _PPP or link_type == _PPP_ETHER


def find_datagram(data: bytes, at: int, end: int, link_type: int) -> tuple[int, str]:
    """Find the IP datagram in the frame ``data[at:end]``.

    Returns:
        Where it begins, and an empty text; or -1, and the reason why there is none to be read.
    """
    header = LINK_HEADERS.get(link_type)
    if header is None:  # PPP has a header of no fixed size; any other type is refused there
        return _after_ppp(data, at, end, link_type)
    start = at + header.size
    if header.type_at is None:
        return _by_version(data, start, end)
    if at + header.type_at + 2 > end:
        return -1, NOT_IP
    return _after_type(data, start, end, _u16(data, at + header.type_at))


def inner_datagram(data: bytes, at: int, end: int) -> tuple[int, str]:
    """Find the datagram inside the datagram ``data[at:end]``, if its protocol carries one.

    Returns:
        Where it begins and how the tunnel is called; -1 and that name where it carries none that is read; -1 and an
        empty text where it is no tunnel.
    """
    if end - at < 20:
        return -1, ""
    if data[at] >> 4 == 4:
        protocol, start, is_piece = data[at + 9], at + (data[at] & 0x0F) * 4, bool(_u16(data, at + 6) & 0x1FFF)
    elif data[at] >> 4 == 6 and end - at >= 40:
        protocol, start, is_piece = data[at + 6], at + 40, False
    else:
        return -1, ""
    name = TUNNELS.get(protocol, "")
    if not name or is_piece:  # a fragment behind the first has no inner header, but the middle of one
        return -1, name
    if protocol == _IN_GRE:
        return _in_gre(data, start, end), name
    return _by_version(data, start, end)[0], name


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _by_version(data: bytes, at: int, end: int) -> tuple[int, str]:
    return (at, "") if at < end and data[at] >> 4 in {4, 6} else (-1, NOT_IP)


def _after_type(data: bytes, at: int, end: int, ether_type: int) -> tuple[int, str]:
    """Walk from an EtherType and what follows it to IP."""
    for _ in range(_MOST_LAYERS):
        if ether_type in {IPV4, IPV6}:
            # the type alone is not enough: a frame cut by a snap length, or one that lies, has no such header there
            found = at < end and data[at] >> 4 == (4 if ether_type == IPV4 else 6)
            return (at, "") if found else (-1, NOT_IP)
        if ether_type in _MPLS:
            return _after_labels(data, at, end)
        if ether_type in _VLAN and at + 4 <= end:
            ether_type, at = _u16(data, at + 2), at + 4
        elif ether_type == _PPPOE_SESSION and at + 8 <= end:
            ether_type, at = _PPP_TYPES.get(_u16(data, at + 6), 0), at + 8
        # IEEE 802.3: below 0x0600 the field is a length, and SNAP (RFC 1042) says what follows
        elif 0 < ether_type < _SHORTEST_TYPE and data[at : at + 6] == _SNAP and at + 8 <= end:
            ether_type, at = _u16(data, at + 6), at + 8
        else:
            break
    return -1, NOT_IP


def _after_labels(data: bytes, at: int, end: int) -> tuple[int, str]:
    """Pass MPLS labels (RFC 3032). A pseudowire's control word (RFC 4385) begins with 0: Ethernet follows it."""
    while at + 4 <= end:
        is_last = data[at + 2] & 1
        at += 4
        if is_last:
            if at + 18 <= end and data[at] >> 4 == 0:
                return _after_type(data, at + 18, end, _u16(data, at + 16))
            return _by_version(data, at, end)
    return -1, NOT_IP


def _after_ppp(data: bytes, at: int, end: int, link_type: int) -> tuple[int, str]:
    if link_type == _PPP_ETHER:
        return _after_type(data, at, end, _PPPOE_SESSION)
    if link_type not in _PPP:
        return -1, f"link type {link_type} is not read"
    at += link_type == _PPP_WITH_DIRECTION  # one byte in front tells which way the frame went
    if data[at : at + 2] in {b"\xff\x03", b"\x0f\x00", b"\x8f\x00"}:  # HDLC framing: of PPP, or of Cisco
        is_cisco = data[at] != 0xFF
        at += 2
        if is_cisco and at + 2 <= end:
            return _after_type(data, at + 2, end, _u16(data, at))
    if at < end and data[at] & 1:  # a compressed protocol field (RFC 1661 §6.5) is one odd byte
        return _after_type(data, at + 1, end, _PPP_TYPES.get(data[at], 0))
    return _after_type(data, at + 2, end, _PPP_TYPES.get(_u16(data, at), 0)) if at + 2 <= end else (-1, NOT_IP)


def _in_gre(data: bytes, at: int, end: int) -> int:
    """Pass a GRE header (RFC 2784, RFC 2890, RFC 2637)."""
    if at + 4 > end:
        return -1
    flags, carried = _u16(data, at), _u16(data, at + 2)
    version = flags & 7
    # checksum, key and sequence number (RFC 2890 §2), and in version 1 the acknowledgement number (RFC 2637 §4.1)
    at += 4 + sum(4 for bit in (0x8000, 0x2000, 0x1000) if flags & bit) + (4 if version == 1 and flags & 0x80 else 0)
    if version == 1:  # PPTP: PPP, whose address and control bytes may be there
        return _after_ppp(data, at, end, 9)[0] if carried == 0x880B else -1
    if carried == _GRE_ETHERNET:
        return find_datagram(data, at, end, _ETHERNET)[0]
    return _after_type(data, at, end, carried)[0]
