"""Build capture files byte by byte, so that tests do not depend on the code under test."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

ACK, SYN, FIN, RST, PSH = 0x10, 0x02, 0x01, 0x04, 0x08
CLIENT, SERVER = ("10.0.0.1", 40000), ("192.0.2.1", 443)
CLIENT_6, SERVER_6 = ("2001:db8::1", 40000), ("2001:db8::2", 443)
START_US = 1_615_359_600_000_000  # 10 March 2021, 07:00 UTC


@dataclass(frozen=True)
class Stamped:
    t_us: int
    frame: bytes
    length: int | None = None  # on the wire, if more than was captured


def options(*, mss: int | None = None, timestamps: bool = False, sacks: tuple[tuple[int, int], ...] = ()) -> bytes:
    data = b""
    if mss is not None:
        data += struct.pack("!BBH", 2, 4, mss)
    if timestamps:
        data += b"\x01\x01\x08\x0a" + bytes(8)
    if sacks:
        data += struct.pack("!BBBB", 1, 1, 5, 2 + 8 * len(sacks))
        data += b"".join(struct.pack("!II", start & 0xFFFFFFFF, end & 0xFFFFFFFF) for start, end in sacks)
    return data + b"\0" * (-len(data) % 4)


def tcp(
    src: tuple[str, int] = CLIENT,
    dst: tuple[str, int] = SERVER,
    *,
    seq: int = 0,
    ack: int = 0,
    flags: int = ACK,
    payload: bytes = b"",
    tcp_options: bytes = b"",
    window: int = 65535,
) -> bytes:
    """Return an IP packet; the addresses choose the version."""
    words = 5 + len(tcp_options) // 4
    segment = struct.pack(
        "!HHIIHHHH", src[1], dst[1], seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (words << 12) | flags, window, 0, 0
    )
    segment += tcp_options + payload
    source, target = ipaddress.ip_address(src[0]), ipaddress.ip_address(dst[0])
    if source.version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 7, 0, 61, 6, 0)
    else:
        head = struct.pack("!IHBB", 6 << 28, len(segment), 6, 61)
    return head + source.packed + target.packed + segment


def ethernet(ip: bytes, *, vlans: tuple[int, ...] = ()) -> bytes:
    tags = b"".join(struct.pack("!HH", 0x8100, vlan) for vlan in vlans)
    return bytes(12) + tags + (b"\x08\x00" if ip[0] >> 4 == 4 else b"\x86\xdd") + ip


def pcap(packets: list[Stamped], *, link_type: int = 1, order: str = "<", nanoseconds: bool = False) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)
    for packet in packets:
        seconds, micros = divmod(packet.t_us, 10**6)
        fraction = micros * 1000 if nanoseconds else micros
        length = packet.length or len(packet.frame)
        data += struct.pack(order + "IIII", seconds, fraction, len(packet.frame), length) + packet.frame
    return data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    total = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + total + body + total


def pcapng(packets: list[Stamped], *, link_type: int = 1, order: str = "<", resolution: int = 6) -> bytes:
    data = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    interface_options = struct.pack(order + "HHB3x", 9, 1, resolution) + struct.pack(order + "HH", 0, 0)
    data += block(1, struct.pack(order + "HHI", link_type, 0, 0) + interface_options, order)
    for packet in packets:
        ticks = packet.t_us * 10 ** (resolution - 6)
        length = packet.length or len(packet.frame)
        head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(packet.frame), length)
        data += block(6, head + packet.frame, order)
    return data


def client_hello(name: str, *, session_id: bytes = bytes(32)) -> bytes:
    host = name.encode()
    entry = struct.pack("!HBH", len(host) + 3, 0, len(host)) + host
    extensions = struct.pack("!HH", 43, 3) + b"\x02\x03\x04" + struct.pack("!HH", 0, len(entry)) + entry
    body = b"\x03\x03" + bytes(32) + bytes([len(session_id)]) + session_id + b"\x00\x02\x13\x01\x01\x00"
    body += struct.pack("!H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3) + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake
