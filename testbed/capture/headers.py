"""Parse the link, IP and TCP headers of many packets at once. Pure: arrays in, arrays out."""

# ruff: noqa: PLR2004  offsets, sizes and versions are those of the protocols

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.capture.options import parse_options
from testbed.capture.packets import Packets
from testbed.records.ip_header import AUTHENTICATION, EXTENSIONS, FRAGMENT, TCP
from testbed.records.link_layer import IPV4, IPV6, LINK_HEADERS, NOT_IP, TUNNELS, find_datagram, inner_datagram, is_read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.capture.hellos import HelloFinder
    from testbed.records.capture_file import CaptureNotes, RecordChunk

    Ints = NDArray[np.int64]

__all__ = ["parse_packets"]

_MOST_TUNNELS: Final = 4
_MAX_IPV6_EXTENSIONS: Final = 8
_TYPE_BY_VERSION: Final = np.array([{4: IPV4, 6: IPV6}.get(version, 0) for version in range(16)])
_IPV4_MAPPED_HIGH: Final = 0
_IPV4_MAPPED_LOW: Final = 0xFFFF << 32


class _Bytes:
    """Big-endian fields at many offsets of one buffer; reading past the end gives 0.

    Offsets come from headers that may lie, so that any field may be asked for behind the end. Zeros there are read like
    other bytes, and what they give is left out later, by its length: a check before each read would cost more.
    """

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self._data = np.concatenate([data, np.zeros(64, np.uint8)])  # as much as the widest field, 40 bytes of options
        self._last = len(data)

    def u8(self, at: Ints) -> Ints:
        return self._data[np.minimum(at, self._last)].astype(np.int64)

    def u16(self, at: Ints) -> Ints:
        at = np.minimum(at, self._last)
        value: Ints = (self._data[at].astype(np.int64) << 8) | self._data[at + 1]
        return value

    def u32(self, at: Ints) -> Ints:
        return (self.u16(at) << 16) | self.u16(at + 2)

    def u64(self, at: Ints) -> NDArray[np.uint64]:
        return (self.u32(at).astype(np.uint64) << np.uint64(32)) | self.u32(at + 4).astype(np.uint64)

    def block(self, at: Ints, width: int) -> NDArray[np.uint8]:
        return self._data[np.minimum(at, self._last)[:, None] + np.arange(width)]


@dataclass(frozen=True, slots=True)
class _Located:
    """Where the parts of n TCP packets lie in a chunk."""

    record: Ints
    is_v4: NDArray[np.bool_]
    ip_at: Ints
    tcp_at: Ints
    payload_at: Ints
    payload: Ints  # bytes on the wire
    end: Ints  # of what was captured


def parse_packets(chunk: RecordChunk, notes: CaptureNotes, hellos: HelloFinder) -> Packets:
    """Return the TCP packets of a chunk; count all others in ``notes`` with the reason.

    Args:
        chunk: The next records of a capture.
        notes: Of the capture.
        hellos: Has seen the chunks before, and finds the server names.
    """
    records = _Records(chunk)
    fields = _Bytes(np.frombuffer(chunk.data, np.uint8))
    end = records.offset + records.captured
    ip_at, version = _skip_link(fields, records, notes)
    # From here on fewer and fewer rows are looked at. Each step counts what it leaves out under the first reason that
    # applies, so that the counts add up to the records of the capture.
    kept = np.flatnonzero(version > 0)
    kept = _keep(ip_at[kept] + 20 <= end[kept], kept, notes, "cut before the end of the IP header")
    _enter_tunnels(fields, records, ip_at=ip_at, version=version, kept=kept, notes=notes)
    version = version[kept]
    ip_at = ip_at[kept]
    tcp_at, ip_end, protocol, first = _skip_ip(fields, ip_at, version, (records.offset + records.length)[kept])
    chosen = _keep(protocol == TCP, np.arange(len(kept)), notes, "not TCP")
    chosen = _keep(first[chosen], chosen, notes, "later fragment")
    chosen = _keep(tcp_at[chosen] + 20 <= end[kept[chosen]], chosen, notes, "cut before the end of the TCP header")
    offset_words = fields.u8(tcp_at + 12) >> 4
    payload = ip_end - tcp_at - offset_words * 4
    chosen = _keep((offset_words[chosen] >= 5) & (payload[chosen] >= 0), chosen, notes, "impossible header lengths")
    notes.tcp += len(chosen)
    located = _Located(
        record=kept[chosen],
        is_v4=version[chosen] == 4,
        ip_at=ip_at[chosen],
        tcp_at=tcp_at[chosen],
        payload_at=tcp_at[chosen] + offset_words[chosen] * 4,
        payload=payload[chosen],
        end=end[kept[chosen]],
    )
    notes.cut += int((located.payload_at + located.payload > located.end).sum())
    packets = _columns(fields, records, located)
    packets.server_names.update(hellos.names(packets, chunk.data, located.payload_at, located.end))
    notes.cut_openings = hellos.cut
    return packets


class _Records:
    """The columns of a chunk as arrays, int64, shape (n,)."""

    def __init__(self, chunk: RecordChunk) -> None:
        self.data = chunk.data
        self.first_index = chunk.first_index
        self.offset = np.array(chunk.offset, np.int64)
        self.captured = np.array(chunk.captured, np.int64)
        self.length = np.array(chunk.length, np.int64)
        self.t_ns = np.array(chunk.t_ns, np.int64)
        self.link_type = np.array(chunk.link_type, np.int64)


def _keep(condition: NDArray[np.bool_], index: Ints, notes: CaptureNotes, reason: str) -> Ints:
    kept = index[condition]
    notes.skip(reason, len(index) - len(kept))
    return kept


def _skip_link(fields: _Bytes, records: _Records, notes: CaptureNotes) -> tuple[Ints, Ints]:
    """Return where the IP header begins and its version, 0 where there is none.

    Nearly all frames carry IP right behind a header of fixed size: those are found at once, by the same table that
    `find_datagram` has. It is asked about each of the others.
    """
    at = records.offset.copy()
    ether_type = np.zeros(len(at), np.int64)
    for link_type in np.unique(records.link_type):
        header = LINK_HEADERS.get(int(link_type))
        if header is None:
            continue
        mine = np.flatnonzero(records.link_type == link_type)
        at[mine] += header.size
        if header.type_at is None:
            ether_type[mine] = _TYPE_BY_VERSION[fields.u8(at[mine]) >> 4]
        else:
            ether_type[mine] = fields.u16(records.offset[mine] + header.type_at)
    nibble = fields.u8(at) >> 4
    plain = ((ether_type == IPV4) & (nibble == 4)) | ((ether_type == IPV6) & (nibble == 6))
    plain &= at < records.offset + records.captured
    version = np.where(plain, nibble, 0)
    for row in np.flatnonzero(~plain).tolist():
        begin, link_type = int(records.offset[row]), int(records.link_type[row])
        found, _ = find_datagram(records.data, begin, begin + int(records.captured[row]), link_type)
        if found < 0:
            notes.skip(NOT_IP if is_read(link_type) else notes.unread(link_type))
        else:
            at[row], version[row] = found, records.data[found] >> 4
    return at, version


def _enter_tunnels(
    fields: _Bytes, records: _Records, *, ip_at: Ints, version: Ints, kept: Ints, notes: CaptureNotes
) -> None:
    """Move ``ip_at`` and ``version`` of datagrams that carry another one to the innermost."""
    protocol = np.where(version[kept] == 4, fields.u8(ip_at[kept] + 9), fields.u8(ip_at[kept] + 6))
    for row in kept[np.isin(protocol, list(TUNNELS))].tolist():
        end = int(records.offset[row] + records.captured[row])
        for _ in range(_MOST_TUNNELS):
            found, tunnel = inner_datagram(records.data, int(ip_at[row]), end)
            if found < 0 or found + 20 > end:
                break
            ip_at[row], version[row] = found, records.data[found] >> 4
            notes.tunnelled[tunnel] = notes.tunnelled.get(tunnel, 0) + 1


def _skip_ip(fields: _Bytes, at: Ints, version: Ints, wire_end: Ints) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
    """Return where the next header begins, where the IP packet ends, the protocol, and if it is no later fragment."""
    is_v4 = version == 4
    total = fields.u16(at + 2)
    header_bytes = (fields.u8(at) & 0x0F) * 4
    protocol = fields.u8(at + 9)
    first = (fields.u16(at + 6) & 0x1FFF) == 0
    next_at = at + header_bytes
    v6 = np.flatnonzero(~is_v4)
    if len(v6):
        total[v6] = fields.u16(at[v6] + 4)
        protocol[v6], next_at[v6], first[v6] = _skip_extensions(fields, at[v6])
        total[v6] = np.where(total[v6] == 0, 0, total[v6] + 40)
    # A length of 0 stands for a segment too long for the field: segmentation offload (TSO) shows such, and jumbograms
    # (RFC 2675) are such. The record's length is used.
    ip_end = np.where(total == 0, wire_end, at + total)
    return next_at, ip_end, protocol, first


def _skip_extensions(fields: _Bytes, at: Ints) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    following = fields.u8(at + 6)
    next_at = at + 40
    first = np.ones(len(at), np.bool_)
    for _ in range(_MAX_IPV6_EXTENSIONS):  # of all packets in step: few have any, and hardly one has two
        more = np.flatnonzero(np.isin(following, list(EXTENSIONS)) & first)
        if not len(more):
            break
        kind, here = following[more], next_at[more]
        size = (fields.u8(here + 1) + 1) * 8  # RFC 8200 §4.2: in units of 8 bytes, the first not counted
        size[kind == FRAGMENT] = 8
        authentication = kind == AUTHENTICATION
        size[authentication] = (fields.u8(here[authentication] + 1) + 2) * 4  # RFC 4302 §2.2: of 4, less 2
        first[more] = (kind != FRAGMENT) | ((fields.u16(here + 2) & 0xFFF8) == 0)
        following[more] = fields.u8(here)
        next_at[more] += size
    return following, next_at, first


def _addresses(
    fields: _Bytes, located: _Located, v4_offset: int, v6_offset: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    high = np.full(len(located.ip_at), _IPV4_MAPPED_HIGH, np.uint64)
    low = fields.u32(located.ip_at + v4_offset).astype(np.uint64) | np.uint64(_IPV4_MAPPED_LOW)
    v6 = np.flatnonzero(~located.is_v4)
    if len(v6):
        high[v6] = fields.u64(located.ip_at[v6] + v6_offset)
        low[v6] = fields.u64(located.ip_at[v6] + v6_offset + 8)
    return high, low


def _columns(fields: _Bytes, records: _Records, located: _Located) -> Packets:
    ip_at, tcp_at = located.ip_at, located.tcp_at
    src_high, src_low = _addresses(fields, located, 12, 8)
    dst_high, dst_low = _addresses(fields, located, 16, 24)
    captured_options = np.minimum(located.payload_at, located.end) - tcp_at - 20
    options = parse_options(fields.block, tcp_at + 20, captured_options)
    return Packets(
        index=located.record + records.first_index,
        t_ns=records.t_ns[located.record],
        src_high=src_high,
        src_low=src_low,
        dst_high=dst_high,
        dst_low=dst_low,
        src_port=fields.u16(tcp_at).astype(np.uint16),
        dst_port=fields.u16(tcp_at + 2).astype(np.uint16),
        seq=fields.u32(tcp_at + 4).astype(np.uint32),
        ack=fields.u32(tcp_at + 8).astype(np.uint32),
        flags=(fields.u16(tcp_at + 12) & 0x0FFF).astype(np.uint16),
        window=fields.u16(tcp_at + 14).astype(np.uint16),
        payload=located.payload.astype(np.int32),
        ip_id=np.where(located.is_v4, fields.u16(ip_at + 4), -1).astype(np.int32),
        ttl=np.where(located.is_v4, fields.u8(ip_at + 8), fields.u8(ip_at + 7)).astype(np.uint8),
        mss=options.mss,
        timestamps=options.timestamps,
        sack_count=options.sack_count,
        sack_start=options.sack_start,
        sack_end=options.sack_end,
        server_names={},
    )
