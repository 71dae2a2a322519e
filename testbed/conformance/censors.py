"""The censors after 2021, and two beside them: X22 and CP22 for 2022, N4P382 and MED24 for YouTube, CF25 and N4P490."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from testbed.conformance.bench import MSS, NS_PER_S, Bench, Connection
from testbed.conformance.hellos import client_hello, padded
from testbed.conformance.row import FREE, THROTTLED, Check, Measured, Row
from testbed.middlebox.craft import fragments, udp_datagram, with_ttl
from testbed.middlebox.events import (
    FlowForgotten,
    InspectionEnded,
    PacketDelayed,
    PacketDropped,
    PacketInjected,
    PacketRewritten,
)
from testbed.middlebox.packet import ACK, PSH, RST, SYN, Direction, Packet

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["ROWS"]

_UP, _DOWN = Direction.UP, Direction.DOWN
_TWITTER = client_hello("twitter.com")
_MATCHED, _NOT_MATCHED = "triggered", "not triggered"


def _triggered(bench: Bench) -> str:
    reasons = [event.reason for event in bench.events if isinstance(event, InspectionEnded)]
    return _MATCHED if "matched" in reasons else _NOT_MATCHED


def _opened_from_outside(profile: Profile) -> str:
    return _triggered(Bench(profile).connect(_DOWN).up(_TWITTER).down(_TWITTER))


def _split_handshake(profile: Profile) -> str:
    bench = Bench(profile)
    sent = ((_UP, SYN), (_DOWN, SYN), (_UP, SYN | ACK), (_DOWN, ACK))
    bench.send(*(bench.connection.packet(direction, flags) for direction, flags in sent))
    return _triggered(bench.up(_TWITTER))


def _fragments(payload: bytes, size: int, *, first_ttl: int = 64) -> list[Packet]:
    """Return one segment in IP fragments of ``size`` bytes; the later ones have a TTL of 64."""
    first, *later = fragments(Connection().packet(_UP, PSH | ACK, payload).data, size)
    return [Packet.parse(piece, _UP) for piece in (with_ttl(first, first_ttl), *later)]


def _hello_in_fragments(profile: Profile) -> str:
    bench = Bench(profile).connect()
    bench.send(*_fragments(_TWITTER, 96))
    return _triggered(bench)


def _ttl_of_fragments(profile: Profile) -> str:
    bench = Bench(profile).connect()
    bench.send(*_fragments(_TWITTER, 96, first_ttl=9))
    ttls = {event.data[8] for event in bench.events if isinstance(event, PacketInjected)}
    return "that of the first" if ttls == {9} else "their own"


def _most_fragments(profile: Profile) -> str:
    bench = Bench(profile).connect()
    bench.send(*_fragments(bytes(1200), 16))
    refused = sum(isinstance(event, PacketDropped) for event in bench.events)
    return f"{len(_fragments(bytes(1200), 16)) - refused} accepted"


def _answer_becomes(profile: Profile) -> str:
    bench = Bench(profile).connect().up(_TWITTER)
    events = bench.send(bench.connection.down(bytes(1200)))
    rewritten = [Packet.parse(event.data, _DOWN) for event in events if isinstance(event, PacketRewritten)]
    is_reset = [packet.flags == RST | ACK and not packet.payload for packet in rewritten] == [True]
    return "RST/ACK without payload" if is_reset else "something else"


def _packets_before_silence(profile: Profile) -> str:
    counts = set()
    # Four numbers by lot: that one of them is never drawn in 200 flows happens once in 10**24.
    for seed in range(200):
        bench = Bench(profile, seed=seed).connect().up(_TWITTER)
        counts.add(20 - bench.loses(_DOWN, packets=20))
    return f"{min(counts)}-{max(counts)} more packets" if counts != {0} else "none"


def _hello_passes(profile: Profile) -> str:
    bench = Bench(profile).connect().up(_TWITTER)
    return "dropped" if bench.of_type(PacketDropped) else "passes"


def _residual(profile: Profile) -> str:
    bench = Bench(profile).connect().up(_TWITTER)
    return _seconds_until_forgotten(bench)


def _seconds_until_forgotten(bench: Bench) -> str:
    """From the last packet on."""
    expiry_ns = bench.inspector.next_expiry_ns()
    if expiry_ns is None or not all(isinstance(each, FlowForgotten) for each in bench.inspector.expire(expiry_ns)):
        return "never"
    return f"{(expiry_ns - bench.now_ns) / NS_PER_S:.0f} s"


def _timeout_after(*sent: tuple[Direction, int]) -> Check:
    def check(profile: Profile) -> str:
        bench = Bench(profile)
        bench.send(*(bench.connection.packet(direction, flags) for direction, flags in sent))
        return _seconds_until_forgotten(bench)

    return check


def _wire_rate(profile: Profile, hello: bytes, *, size: int, offered_bps: int) -> float:
    """Return bits per second that pass downwards of a steady offer, after the burst."""
    bench = Bench(profile).connect().up(hello)
    passed, start = 0, bench.now_ns
    for index in range(3000):
        bench.now_ns += (size + 40) * 8 * NS_PER_S // offered_bps
        packet = bench.connection.packet(_DOWN, ACK, bytes(size))
        # Not the first packet, which the full bucket lets pass at once.
        if not bench.inspector.inspect(packet, bench.now_ns) and index:
            passed += packet.length
    return passed * 8 * NS_PER_S / (bench.now_ns - start)


def _rate_of_2022(profile: Profile) -> Measured:
    rate = _wire_rate(profile, _TWITTER, size=500, offered_bps=40_000) / 8
    return Measured(rate, f"{rate:.0f} bytes per second")


def _rate_of_youtube(profile: Profile) -> Measured:
    hello = client_hello("rr1.googlevideo.com")
    rate = _wire_rate(profile, hello, size=MSS, offered_bps=1_000_000) / 1000
    return Measured(rate, f"{rate:.1f} kbit/s")


def _name(name: str) -> Check:
    return lambda profile: THROTTLED if Bench(profile).connect().up(client_hello(name)).throttles() else FREE


def _two_packets(cut: int, *, is_reversed: bool = False) -> Check:
    hello = padded(client_hello("rr1.googlevideo.com"), 1800)

    def check(profile: Profile) -> str:
        bench = Bench(profile).connect()
        packets = [bench.connection.up(part) for part in (hello[:cut], hello[cut:])]
        bench.send(*(reversed(packets) if is_reversed else packets))
        return THROTTLED if bench.throttles() else FREE

    return check


def _quic(first_bytes: bytes, size: int, server: str = "192.0.2.1", port: int = 443) -> Check:
    def check(profile: Profile) -> str:
        dst = bytes(map(int, server.split(".")))
        payload = first_bytes + bytes(size - len(first_bytes))
        data = udp_datagram(src=bytes([10, 0, 0, 1]), dst=dst, sport=40000, dport=port, payload=payload)
        bench = Bench(profile)
        bench.send(*[Packet.parse(data, _UP)] * 3)
        return {0: "passes", 3: "dropped"}.get(len(bench.of_type(PacketDropped)), "some dropped")

    return check


def _curtain(profile: Profile) -> Measured:
    bench = Bench(profile, connection=Connection(outside="104.16.1.1")).connect().up(client_hello("example.org"))
    delivered = 0
    # 200 kB offered, ten times what was ever published to pass.
    for _ in range(200):
        delivered += 0 if bench.send(bench.connection.down(bytes(1000))) else 1000
    return Measured(delivered / 1000, f"{delivered / 1000:.0f} kB, then nothing")


def _curtain_upwards(profile: Profile) -> str:
    bench = Bench(profile, connection=Connection(outside="104.16.1.1")).connect().up(client_hello("example.org"))
    return "passes" if not bench.loses(_UP, packets=100) else "freezes"


def _passing_share(profile: Profile) -> Measured:
    bench = Bench(profile).connect().up(client_hello("example.org"))
    passed = 100 - bench.loses(_DOWN, packets=5000) / 50
    return Measured(passed, f"{passed:.1f} percent pass")


def _handshake_delay(profile: Profile) -> Measured:
    bench = Bench(profile).connect().up(client_hello("rus.azattyq.org"))
    delays = [
        event.delay_ns for event in bench.send(bench.connection.down(bytes(100))) if isinstance(event, PacketDelayed)
    ]
    return Measured(sum(delays) / NS_PER_S, f"{sum(delays) / NS_PER_S:.1f} s")


def _upload_shaper(profile: Profile) -> str:
    bench = Bench(profile)
    events = bench.send(*(bench.connection.packet(_UP, ACK, bytes(MSS)) for _ in range(20)))
    kinds = {type(event) for event in events[1:]}
    return "delayed, not dropped" if kinds == {PacketDelayed} else "dropped"


def _row(
    topic: str, profile: str, name: str, published: str, check: Check, *, source: str, grade: str = "published",
    within: tuple[float, float] | None = None, restates: str = "",
) -> Row:  # fmt: skip
    return Row(
        topic=topic, name=name, published=published, source=source, grade=grade, profile=profile, check=check,
        within=within, restates=restates,
    )  # fmt: skip


_row_of_2022 = partial(_row, "blocks of 2022")

_VERSION_1, _VERSION_2 = b"\xc3\x00\x00\x00\x01", b"\xd3\x6b\x33\x43\xcf"

ROWS: list[Row] = [
    _row_of_2022("ru-2022-II", "opened from outside", _NOT_MATCHED, _opened_from_outside, source="CP22"),
    _row_of_2022("ru-2022-II", "SYN from outside, split handshake", _NOT_MATCHED, _split_handshake, source="CP22"),
    _row_of_2022("ru-2022-II", "hello in IP fragments", _NOT_MATCHED, _hello_in_fragments, source="CP22"),
    _row_of_2022("ru-2022-II", "TTL of the fragments sent on", "that of the first", _ttl_of_fragments, source="CP22"),
    _row_of_2022(
        "ru-2022-II", "fragments of one packet", "45 accepted", _most_fragments, source="CP22", restates="fragments: 45"
    ),
    _row_of_2022(
        "ru-2022-I",
        "the server's answer",
        "RST/ACK without payload",
        _answer_becomes,
        source="X22 Fig. 2",
        grade="secondary",
    ),
    _row_of_2022(
        "ru-2022-I",
        "residual time",
        "75 s",
        _residual,
        source="X22 Fig. 2",
        grade="secondary",
        restates="action.residual",
    ),
    _row_of_2022(
        "ru-2022-II",
        "before silence",
        "5-8 more packets",
        _packets_before_silence,
        source="X22 Fig. 2",
        grade="secondary",
        restates="action.after_packets",
    ),
    _row_of_2022(
        "ru-2022-II",
        "residual time",
        "420 s",
        _residual,
        source="X22 Fig. 2",
        grade="secondary",
        restates="action.residual",
    ),
    _row_of_2022(
        "ru-tw-2022-III",
        "rate",
        "600-700 bytes per second",
        _rate_of_2022,
        source="X22 Fig. 2",
        grade="secondary",
        within=(600, 700),
        restates="meter.token_bucket.rate",
    ),
    _row_of_2022("ru-2022-IV", "the hello", "dropped", _hello_passes, source="X22 Fig. 2", grade="secondary"),
    _row_of_2022(
        "ru-2022-IV", "before silence", "none", _packets_before_silence, source="X22 Fig. 2", grade="secondary"
    ),
    _row_of_2022(
        "ru-2022-IV",
        "residual time",
        "40 s",
        _residual,
        source="X22 Fig. 2",
        grade="secondary",
        restates="action.residual",
    ),
    _row_of_2022("ru-quic-2022", "version 1, 1200 bytes", "dropped", _quic(_VERSION_1, 1200), source="N4P108"),
    _row_of_2022(
        "ru-quic-2022", "version 1, 1001 bytes", "dropped", _quic(_VERSION_1, 1001), source="X22", grade="unverified"
    ),
    _row_of_2022(
        "ru-quic-2022", "version 1, 1000 bytes", "passes", _quic(_VERSION_1, 1000), source="X22", grade="unverified"
    ),
    _row_of_2022("ru-quic-2022", "version 2", "passes", _quic(_VERSION_2, 1200), source="N4P108: version 1"),
    _row_of_2022(
        "ru-quic-2022", "another port", "passes", _quic(_VERSION_1, 1200, port=8443), source="X22", grade="unverified"
    ),
    _row_of_2022("ru-quic-2022", "vk.com", "passes", _quic(_VERSION_1, 1200, "87.240.190.1"), source="N4P108"),
    _row_of_2022(
        "ru-2022-II",
        "timeout, SYN-SENT",
        "60 s",
        _timeout_after((_UP, SYN)),
        source="X22",
        grade="unverified",
        restates="flows.syn_sent_timeout",
    ),
    _row_of_2022(
        "ru-2022-II",
        "timeout, SYN-RECEIVED",
        "105 s",
        _timeout_after((_UP, SYN), (_DOWN, SYN | ACK)),
        source="X22",
        grade="unverified",
        restates="flows.syn_received_timeout",
    ),
    _row_of_2022(
        "ru-2022-II",
        "timeout, ESTABLISHED",
        "480 s",
        _timeout_after((_UP, SYN), (_DOWN, SYN | ACK), (_UP, ACK)),
        source="X22",
        grade="unverified",
        restates="flows.idle_timeout",
    ),
    _row(
        "degradation",
        "eco-degrade",
        "noticeable degradation",
        "2-10 percent pass",
        _passing_share,
        source="ECO26",
        grade="secondary",
        within=(2, 10),
        restates="meter.random_pass.pass_share",
    ),
    _row(
        "YouTube 2024",
        "ru-yt-2024-tcp",
        "rate",
        "128 kbit/s",
        _rate_of_youtube,
        source="MED24",
        grade="secondary",
        within=(125, 131),
        restates="meter.token_bucket.rate",
    ),
    *(
        _row("YouTube 2024", "ru-yt-2024-tcp", name, published, check, source="N4P382, ZAPRET1408", grade="secondary")
        for name, published, check in (
            ("hello of two packets", THROTTLED, _two_packets(MSS)),
            ("hello of two packets, the second one first", FREE, _two_packets(MSS, is_reversed=True)),
            ("hello of two packets, no record header in the first", FREE, _two_packets(3)),
        )
    ),
    _row("YouTube 2024", "ru-yt-2024-tcp", "another name at Google", FREE, _name("www.google.com"), source="N4P382"),
    _row(
        "16 KB",
        "ru-16k-2025",
        "download",
        "15-20 kB, then nothing",
        _curtain,
        source="CF25, N4P490",
        within=(15, 20),
        restates="meter.byte_quota.quota",
    ),
    _row(
        "16 KB",
        "ru-16k-2025",
        "upload",
        "freezes",
        _curtain_upwards,
        source="DPICH26",
        grade="secondary",
        restates="action.directions",
    ),
    _row(
        "Kazakhstan",
        "kz-2022",
        "handshake",
        "4 s and more",
        _handshake_delay,
        source="OONI-KZ",
        within=(4, float("inf")),
        restates="action.delay",
    ),
    _row("3G line", "tele2-3g-up", "upload over the limit", "delayed, not dropped", _upload_shaper, source="X21 §6.1"),
]
