"""Freezes and delayed handshakes since 2023: they end a flow or make it late, and limit no rate."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from testbed.conformance.bench import MSS, NS_PER_S, Bench, Connection
from testbed.conformance.hellos import client_hello
from testbed.conformance.row import Check, Measured, Row
from testbed.middlebox.craft import CHANGE_CIPHER_SPEC, udp_datagram
from testbed.middlebox.events import PacketDelayed, PacketDropped
from testbed.middlebox.packet import Direction, Packet

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["ROWS", "download"]

_UP, _DOWN = Direction.UP, Direction.DOWN
_SERVER = "198.51.100.1"
_SEGMENTS_AN_ACK = 2  # RFC 9293, section 3.8.6.3: at least every second full segment is acknowledged
_SEGMENTS = 100  # 146 kB: several times the largest amount that was ever published to pass
_APPLICATION_DATA = b"\x17\x03\x03\x00\x13" + bytes(19)
_FREEZES, _PASSES = "freezes", "passes"


def _opened(profile: Profile, first: bytes) -> Bench:
    """Return a connection that the box looks at, whatever share of them it spares."""
    looked_at = replace(profile, trigger=replace(profile.trigger, share=1.0))
    return Bench(looked_at, connection=Connection(outside=_SERVER)).connect().up(first)


def _hello(profile: Profile, name: str = "example.org") -> Bench:
    return _opened(profile, client_hello(name))


def _passes(bench: Bench, packet: Packet) -> bool:
    return not any(isinstance(event, PacketDropped) for event in bench.send(packet))


def download(bench: Bench) -> int:
    """Return bytes that reach the client of a download whose every second segment is acknowledged."""
    arrived = 0
    for index in range(_SEGMENTS):
        if _passes(bench, bench.connection.down(bytes(MSS))):
            arrived += MSS
            if index % _SEGMENTS_AN_ACK:
                bench.send(bench.connection.packet(_UP))
    return arrived


def _fate(bench: Bench, direction: Direction) -> str:
    lost = bench.loses(direction, packets=_SEGMENTS)
    return _FREEZES if lost and not _passes(bench, bench.connection.packet(direction, payload=b"x")) else _PASSES


def _download(profile: Profile) -> Measured:
    arrived = download(_hello(profile))
    return Measured(arrived / 1000, f"{arrived / 1000:.1f} kB, then nothing")


def _packets(profile: Profile) -> str:
    bench = _hello(profile)
    passed = 4  # the handshake, and the hello
    while passed < _SEGMENTS and _passes(bench, bench.connection.packet((_UP, _DOWN)[passed % 2])):
        passed += 1
    return f"{passed} packets"


def _after_hello(direction: Direction, name: str = "example.org") -> Check:
    return lambda profile: _fate(_hello(profile, name), direction)


def _without_tls(direction: Direction) -> Check:
    return lambda profile: _fate(_opened(profile, bytes(37)), direction)


def _trickle(profile: Profile) -> str:
    """64 bytes in writes of 2, each acknowledged, and then the answer."""
    bench = _hello(profile)
    for _ in range(32):
        bench.wait(0.05)
        if _passes(bench, bench.connection.up(b"ab")):
            bench.send(bench.connection.packet(_DOWN))
    return "answer" if _passes(bench, bench.connection.down(bytes(200))) else "silence"


def _datagrams(profile: Profile) -> str:
    bench = Bench(profile)
    inside, outside = bytes([10, 0, 0, 1]), bytes([198, 51, 100, 1])
    data = udp_datagram(src=inside, dst=outside, sport=40000, dport=443, payload=bytes(100))
    bench.send(*[Packet.parse(data, _UP)] * _SEGMENTS)
    return _FREEZES if bench.of_type(PacketDropped) else _PASSES


def _fresh_connections(profile: Profile) -> str:
    found: Counter[bool] = Counter()
    # One box: what it draws for each of them is what differs. All alike would come by chance once in 10**4.
    bench = Bench(profile)
    for port in range(40000, 40050):
        bench.connection = Connection(outside=_SERVER, inside_port=port)
        found[bench.connect().up(client_hello("example.org")).loses(_DOWN) > 0] += 1
    return "some freeze, some do not" if found[True] and found[False] else "all alike"


def _delay_s(bench: Bench, packet: Packet) -> float:
    return sum(event.delay_ns for event in bench.send(packet) if isinstance(event, PacketDelayed)) / NS_PER_S


def _in_the_handshake(profile: Profile) -> str:
    bench = Bench(profile).connect().up(client_hello("twitter.com"))
    return "delayed" if _delay_s(bench, bench.connection.down(bytes(MSS))) else "not delayed"


def _after_the_handshake(profile: Profile) -> str:
    bench = Bench(profile).connect().up(client_hello("twitter.com"))
    bench.send(bench.connection.down(bytes(MSS)))
    bench.wait(30)
    bench.up(CHANGE_CIPHER_SPEC, _APPLICATION_DATA)
    delays = [_delay_s(bench, bench.connection.down(bytes(MSS))) for _ in range(_SEGMENTS)]
    return "slowed down" if any(delays) or bench.of_type(PacketDropped) else "not slowed down"


def _other_name(profile: Profile) -> str:
    bench = Bench(profile).connect().up(client_hello("example.org"))
    return "delayed" if _delay_s(bench, bench.connection.down(bytes(MSS))) else "not delayed"


def _handshakes_cut(profile: Profile) -> str:
    lost = 0
    for seed in range(50):
        lost += Bench(profile, seed=seed).connect().up(client_hello("twitter.com")).loses(_DOWN, packets=4)
    return "some fail" if lost else "none fails"


def _upload_amount(profile: Profile) -> Measured:
    bench = Bench(profile, connection=Connection(outside=_SERVER)).connect()
    passed = sum(1448 for _ in range(_SEGMENTS) if _passes(bench, bench.connection.up(bytes(1448))))
    return Measured(passed / 1024, f"{passed / 1024:.1f} KiB, then nothing")


def _opened_download(profile: Profile) -> str:
    return _fate(Bench(profile, connection=Connection(outside=_SERVER)).connect(), _DOWN)


def _row(
    topic: str, profile: str, name: str, published: str, check: Check, *, source: str, grade: str = "secondary",
    within: tuple[float, float] | None = None, restates: str = "", differs: str = "",
) -> Row:  # fmt: skip
    return Row(
        topic=topic, name=name, published=published, source=source, grade=grade, profile=profile, check=check,
        within=within, restates=restates, known_difference=differs,
    )  # fmt: skip


_UNREAD = "what is neither TLS nor QUIC shows no name that might be allowed, and is not acted on"
_NO_CUTS = "which of them, and when, is not published: ours delays all and cuts none"

_packets_row = partial(_row, "25 packets", "ru-l4-25")
_bytes_row = partial(_row, "25 packets", "ru-16k-2025")
_handshake_row = partial(_row, "Türkiye 2025", "tr-handshake-2025")
_upload_row = partial(_row, "Iran 2023", "ir-freeze-2023")

ROWS: list[Row] = [
    _packets_row("packets of both directions", "25 packets", _packets, source="DPICH26",
                 restates="meter.packet_quota.packets"),
    _packets_row("download", "14-34 kB, then nothing", _download, source="DPIDET26", within=(14, 34)),
    _packets_row("upload", _FREEZES, _after_hello(_UP), source="DPICH26", restates="action.directions"),
    _packets_row("64 bytes in writes of 2 bytes", "silence", _trickle, source="DPICH26"),
    _bytes_row("64 bytes in writes of 2 bytes, a budget of bytes", "answer", _trickle, source="DPICH26"),
    _packets_row("allowed name", _PASSES, _after_hello(_DOWN, "www.vk.com"), source="DWC25", restates="exempt"),
    _packets_row("fresh connections of the same minutes", "some freeze, some do not", _fresh_connections,
                 source="DPICH20", restates="trigger.share"),
    _packets_row("TCP without TLS", _FREEZES, _without_tls(_DOWN), source="N4P490", differs=_UNREAD),
    _packets_row("UDP without QUIC", _FREEZES, _datagrams, source="DPICH26", differs=_UNREAD),
    _handshake_row("handshake", "delayed", _in_the_handshake, source="MEDYA25", restates="action.only"),
    _handshake_row("after the handshake", "not slowed down", _after_the_handshake, source="MEDYA25",
                   restates="action.only"),
    _handshake_row("another name at the same address", "not delayed", _other_name, source="OONITR25",
                   grade="published"),
    _handshake_row("handshakes that are cut", "some fail", _handshakes_cut, source="MEDYA25", differs=_NO_CUTS),
    _upload_row("upload", "70.7 KBytes, then nothing", _upload_amount, source="XTLS2451", within=(70, 71),
                restates="meter.byte_quota.quota"),
    _upload_row("download", _PASSES, _opened_download, source="XTLS2451", restates="action.directions"),
]  # fmt: skip
