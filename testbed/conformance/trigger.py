"""What triggers throttling: X21 §6.2 and CP21."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.conformance.bench import Bench, Connection
from testbed.conformance.hellos import client_hello, extensions_length_offset
from testbed.conformance.row import FREE, THROTTLED, Check, Row
from testbed.middlebox.craft import CHANGE_CIPHER_SPEC, inverted, udp_datagram
from testbed.middlebox.events import InspectionEnded
from testbed.middlebox.packet import Direction, Packet

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["ROWS"]

_NAME = "twitter.com"
_CONNECT = b"CONNECT twitter.com:443 HTTP/1.1\r\nHost: twitter.com:443\r\nUser-Agent: a client of the proxy\r\n\r\n"
_SOCKS_REQUEST = b"\x05\x01\x00\x03" + bytes([100]) + b"a" * 96 + b".com" + b"\x01\xbb"
_TWITTER_ADDRESS = "104.244.42.1"


def _hello() -> bytes:
    return client_hello(_NAME)


def _answer(bench: Bench) -> str:
    return THROTTLED if bench.throttles() else FREE


def _after_connecting(*payloads: bytes) -> Check:
    """Return what happens to a connection from inside that sends these payloads."""
    return lambda profile: _answer(Bench(profile).connect().up(*payloads))


def _to(connection: Connection, payload: bytes) -> Check:
    return lambda profile: _answer(Bench(profile, connection=connection).connect().up(payload))


def _server_sends(payload: bytes) -> Check:
    return lambda profile: _answer(Bench(profile).connect().down(payload))


def _from_outside(profile: Profile, port: int = 443) -> str:
    connection = Connection(inside_port=port, outside_port=50_000)
    return _answer(Bench(profile, connection=connection).connect(Direction.DOWN).down(_hello()).up(_hello()))


def _random_around(profile: Profile) -> str:
    return _answer(Bench(profile).connect().up(_hello()).up(b"\xaa" * 400).down(b"\xbb" * 400))


def _certificate_record() -> bytes:
    """Return a TLS 1.2 Certificate message that names Twitter, as it went in the clear."""
    certificate = b"\x30\x82\x05\x00" + b"\x0c\x0btwitter.com" + bytes(700)
    chain = len(certificate).to_bytes(3, "big") + certificate
    message = b"\x0b" + (len(chain) + 3).to_bytes(3, "big") + len(chain).to_bytes(3, "big") + chain
    return b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message


def _more_packets(profile: Profile) -> str:
    """Return how many packets after the first are read: the range over many flows."""
    # 400 flows: that one of 13 numbers is never drawn happens once in 10**12.
    counts = [_read_until_the_end(Bench(profile, seed=seed).connect()) - 1 for seed in range(400)]
    return f"{min(counts)}-{max(counts)} more packets"


def _read_until_the_end(bench: Bench) -> int:
    for count in range(1, 100):
        bench.up(CHANGE_CIPHER_SPEC)
        if bench.of_type(InspectionEnded):
            return count
    raise AssertionError("inspection never ended")


def _acknowledgements_first(profile: Profile) -> str:
    bench = Bench(profile).connect()
    bench.send(*(bench.connection.packet(Direction.UP) for _ in range(100)))
    return _answer(bench.up(_hello()))


def _server_unknown_first(profile: Profile) -> str:
    return _answer(Bench(profile).connect().down(b"\xaa" * 200).up(_hello()))


def _quic(profile: Profile) -> str:
    bench = Bench(profile)
    ends = {"src": bytes([10, 0, 0, 1]), "dst": bytes([192, 0, 2, 1]), "sport": 40000, "dport": 443}
    data = [udp_datagram(**ends, payload=b"\xc3\x00\x00\x00\x01" + bytes(1195)) for _ in range(40)]  # type: ignore[arg-type]
    return THROTTLED if bench.send(*(Packet.parse(each, Direction.UP) for each in data)) else FREE


def _plain_http(profile: Profile) -> str:
    return _answer(Bench(profile).connect().up(b"GET / HTTP/1.1\r\nHost: twitter.com\r\n\r\n"))


def _damaged_field(offset: int, size: int) -> Check:
    return _after_connecting(inverted(_hello(), offset, offset + size))


def _damaged_tcp_length(profile: Profile) -> str:
    bench = Bench(profile).connect()
    data = bench.connection.up(_hello()).data
    bench.send(Packet.parse(inverted(data, 32, 33), Direction.UP))  # the data offset of TCP, behind 20 bytes of IP
    return _answer(bench)


def _name_elsewhere() -> bytes:
    """Return a hello without server_name whose session ID holds the name."""
    # The session ID is 32 random bytes that no server reads: where the name stands there, nothing else is wrong.
    hello = client_hello(None)
    return hello[:44] + _NAME.encode() + hello[44 + len(_NAME) :]


def _row(
    name: str, published: str, check: Check, *, source: str = "X21 §6.2", grade: str = "published",
    profile: str = "ru-tw-2021a", restates: str = "",
) -> Row:  # fmt: skip
    return Row(
        topic="trigger", name=name, published=published, source=source, grade=grade, profile=profile, check=check,
        restates=restates,
    )  # fmt: skip


def _field_rows() -> list[Row]:
    hello = _hello()
    name_at = hello.index(_NAME.encode())
    fields = {
        "TLS content type": (0, 1),
        "record length": (3, 2),
        "handshake type": (5, 1),
        "handshake length": (6, 3),
        "session ID length": (43, 1),
        "cipher suites length": (44 + hello[43], 2),
        "extensions length": (extensions_length_offset(hello), 2),
        "server_name extension type": (name_at - 9, 2),
        "name type": (name_at - 3, 1),
        "name": (name_at, len(_NAME)),
    }
    rows = [
        _row(f"{field} damaged", FREE, _damaged_field(offset, size), source="X21 §6.2, CP21")
        for field, (offset, size) in fields.items()
    ]
    kept = {"record version": (1, 2), "client version": (9, 2), "random": (11, 32), "session ID": (44, 32)}
    rows += [
        _row(
            f"{field} damaged", THROTTLED, _damaged_field(offset, size), grade="assumption", source="not listed in X21"
        )
        for field, (offset, size) in kept.items()
    ]
    return rows


ROWS: list[Row] = [
    _row("Twitter's address without SNI", FREE, _to(Connection(outside=_TWITTER_ADDRESS), client_hello(None)),
         source="N4P65"),
    _row("Twitter SNI to any server", THROTTLED, _to(Connection(outside="198.51.100.9"), client_hello(_NAME)),
         source="N4P65"),
    _row("one packet is enough, the others random", THROTTLED, _random_around),
    _row("hello sent by the server", THROTTLED, _server_sends(client_hello(_NAME))),
    _row("server certificate with Twitter's name", FREE, _server_sends(_certificate_record()), source="CP21"),
    _row("opened from inside", THROTTLED, _after_connecting(client_hello(_NAME)), source="X21 §6.5"),
    _row("opened from outside", FREE, _from_outside, source="X21 §6.5"),
    _row("Quack Echo from outside, port 7", FREE, lambda profile: _from_outside(profile, 7), source="X21 §6.5, CP21"),
    _row("server in the same country", THROTTLED, _to(Connection(outside="95.213.0.1"), client_hello(_NAME)),
         source="X21 §6.4"),
    _row("any server port", THROTTLED, _to(Connection(outside_port=8443), client_hello(_NAME)), grade="assumption",
         source="not published"),
    _row("random packet of 101 bytes first", FREE, _after_connecting(b"\xaa" * 101, client_hello(_NAME)),
         source="CP21; X21 §6.2"),
    _row("random packet of 99 bytes first", THROTTLED, _after_connecting(b"\xaa" * 99, client_hello(_NAME))),
    _row("valid TLS record first", THROTTLED, _after_connecting(CHANGE_CIPHER_SPEC, client_hello(_NAME))),
    _row("HTTP proxy packet first", THROTTLED, _after_connecting(_CONNECT, client_hello(_NAME))),
    _row("SOCKS packet first", THROTTLED, _after_connecting(_SOCKS_REQUEST, client_hello(_NAME))),
    _row("how long inspection continues", "3-15 more packets", _more_packets, restates="inspection.budget_packets"),
    _row("how long inspection continues, earlier report", "15-20 more packets", _more_packets, source="CP21",
         profile="ru-tw-2021-report", restates="inspection.budget_packets"),
    _row("random packet of exactly 100 bytes first", THROTTLED, _after_connecting(b"\xaa" * 100, client_hello(_NAME)),
         grade="assumption", source="not published"),
    _row("a hundred pure ACKs first", THROTTLED, _acknowledgements_first, grade="assumption", source="not published"),
    _row("unknown packet from the server first", FREE, _server_unknown_first, grade="assumption",
         source="not published"),
    _row("QUIC", FREE, _quic, grade="assumption", source="not published"),
    _row("plain HTTP with Host", FREE, _plain_http, grade="assumption", source="not published"),
    *_field_rows(),
    _row("TCP length damaged", FREE, _damaged_tcp_length),
    _row("name elsewhere in the packet", FREE, _after_connecting(_name_elsewhere())),
    _row("another record before the hello in the packet", FREE,
         _after_connecting(CHANGE_CIPHER_SPEC + client_hello(_NAME))),
]  # fmt: skip
