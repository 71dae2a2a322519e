"""Rules that ask for two things: a name and an extension, a version and a server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from testbed.conformance.bench import Bench, Connection
from testbed.conformance.hellos import client_hello, extended, named_extensions, quic_initial
from testbed.conformance.row import Check, Row
from testbed.middlebox.craft import udp_datagram
from testbed.middlebox.events import PacketDropped
from testbed.middlebox.packet import Direction, Packet

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["ROWS"]

_PASSES, _DROPPED = "passes", "dropped"
_ECH_NAME = "cloudflare-ech.com"
_FOREIGN, _VK = bytes([192, 0, 2, 1]), bytes([87, 240, 190, 1])
_INSIDE = bytes([10, 0, 0, 1])


def _over_tcp(profile: Profile, hello: bytes) -> str:
    bench = Bench(profile, connection=Connection()).connect().up(hello)
    return _DROPPED if bench.of_type(PacketDropped) else _PASSES


def _over_quic(profile: Profile, hello: bytes, server: bytes = _FOREIGN) -> str:
    bench = Bench(profile)
    data = udp_datagram(src=_INSIDE, dst=server, sport=40000, dport=443, payload=quic_initial(hello))
    bench.send(Packet.parse(data, Direction.UP))
    return _DROPPED if bench.of_type(PacketDropped) else _PASSES


def _both_ways(name: str, *, ech: bool) -> Check:
    """Over TCP and over QUIC; what differs would be told."""
    hello = extended(client_hello(name), named_extensions("encrypted_client_hello")) if ech else client_hello(name)

    def check(profile: Profile) -> str:
        tcp, quic = _over_tcp(profile, hello), _over_quic(profile, hello)
        return tcp if tcp == quic else f"{tcp} over TCP, {quic} over QUIC"

    return check


def _quic(name: str, server: bytes) -> Check:
    return lambda profile: _over_quic(profile, client_hello(name), server)


def _row(topic: str, profile: str, name: str, published: str, check: Check, *, source: str, restates: str = "") -> Row:
    return Row(
        topic=topic, name=name, published=published, source=source, grade="published", profile=profile, check=check,
        restates=restates,
    )  # fmt: skip


_ech_row = partial(_row, "ECH", "ru-ech-2024", source="N4P417")
_quic_row = partial(_row, "QUIC in two layers", "ru-quic-layers-2022", source="N4P108")

ROWS: list[Row] = [
    _ech_row("cloudflare-ech.com with ECH", _DROPPED, _both_ways(_ECH_NAME, ech=True), restates="rules.extensions"),
    _ech_row("cloudflare-ech.com without ECH", _PASSES, _both_ways(_ECH_NAME, ech=False)),
    _ech_row("another name with ECH", _PASSES, _both_ways("example.org", ech=True)),
    _quic_row("foreign server, its own name", _DROPPED, _quic("example.org", _FOREIGN)),
    _quic_row("foreign server, vk.com", _DROPPED, _quic("vk.com", _FOREIGN)),
    _quic_row("vk.com's server, vk.com", _PASSES, _quic("vk.com", _VK), restates="rules.not_at"),
    _quic_row("vk.com's server, facebook.com", _DROPPED, _quic("facebook.com", _VK)),
]  # fmt: skip
