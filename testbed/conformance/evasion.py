"""What evades and what does not: X21 §7 and CP21. At the level of packets; clients are elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from testbed.conformance.bench import MSS, Bench
from testbed.conformance.hellos import client_hello, padded
from testbed.conformance.row import FREE, THROTTLED, Check, Row
from testbed.middlebox.craft import CHANGE_CIPHER_SPEC, inverted, split_record
from testbed.middlebox.packet import ACK, PSH, Direction

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["ROWS"]

_TWITTER = client_hello("twitter.com")
_INNOCUOUS = client_hello("example.org")
_PADDED = padded(_TWITTER, 1600)
_SMALL_WINDOW = 60
_MAY_BE_MISSING = 4  # bytes of a record, by CP21's rule: the length of a record's header less one


def _answer(bench: Bench) -> str:
    return THROTTLED if bench.throttles() else FREE


def _up(*payloads: bytes) -> Check:
    return lambda profile: _answer(Bench(profile).connect().up(*payloads))


def _split_at(cuts: range) -> Check:
    """Return what happens at all of these cuts; where it differs, how often each."""

    def check(profile: Profile) -> str:
        ours = Counter(_answer(Bench(profile).connect().up(_TWITTER[:at], _TWITTER[at:])) for at in cuts)
        return ", ".join(ours) if len(ours) == 1 else ", ".join(f"{count} {each}" for each, count in ours.items())

    return check


def _small_window(profile: Profile) -> str:
    segments = (_TWITTER[at : at + _SMALL_WINDOW] for at in range(0, len(_TWITTER), _SMALL_WINDOW))
    return _answer(Bench(profile).connect().up(*segments))


def _low_ttl_random(profile: Profile) -> str:
    bench = Bench(profile).connect()
    bench.send(bench.connection.packet(Direction.UP, PSH | ACK, b"\xaa" * 150, ttl=2))
    return _answer(bench.up(_TWITTER))


def _idle_then_transfer(profile: Profile) -> str:
    bench = Bench(profile).connect().up(_TWITTER)
    bench.wait(610)
    return _answer(bench)


def _innocuous_first(profile: Profile) -> str:
    bench = Bench(profile).connect()
    bench.send(bench.connection.packet(Direction.UP, PSH | ACK, _INNOCUOUS, ttl=2))
    return _answer(bench.up(_TWITTER))


def _injected(*, reset: bool) -> Check:
    def check(profile: Profile) -> str:
        bench = Bench(profile).connect()
        bench.send(bench.connection.rst(Direction.UP) if reset else bench.connection.fin(Direction.UP))
        return _answer(bench.up(_TWITTER))

    return check


def _through_proxy(request: bytes, answer: bytes) -> Check:
    return lambda profile: _answer(Bench(profile).connect().up(request).down(answer).up(_TWITTER))


def _socks5(profile: Profile) -> str:
    """The hello is the fifth packet: flows with the shortest budget, 1 of 13, escape. So most of many flows count."""
    answers = []
    # Of 60 flows some five escape by lot; that most of them do is out of the question.
    for seed in range(60):
        bench = Bench(profile, seed=seed).connect().up(b"\x05\x01\x00").down(b"\x05\x00")
        bench.up(b"\x05\x01\x00\x03\x0btwitter.com\x01\xbb").down(b"\x05\x00\x00\x01" + bytes(6))
        answers.append(_answer(bench.up(_TWITTER)))
    return max(set(answers), key=answers.count)


def _server_only(profile: Profile) -> str:
    return _answer(Bench(profile).connect().down(_TWITTER))


def _from_outside(profile: Profile) -> str:
    return _answer(Bench(profile).connect(Direction.DOWN).up(_TWITTER).down(_TWITTER))


def _row(name: str, published: str, check: Check, *, source: str = "X21 §7", grade: str = "published") -> Row:
    return Row(
        topic="evasion", name=name, published=published, source=source, grade=grade, profile="ru-tw-2021a", check=check
    )


ROWS: list[Row] = [
    _row("hello split over two TCP segments, at every byte but the last four", FREE,
         _split_at(range(1, len(_TWITTER) - _MAY_BE_MISSING))),
    # X21 §7 names no position. CP21 has the record length below that of the TCP payload: four bytes may be missing.
    _row("hello split before each of its last four bytes", THROTTLED,
         _split_at(range(len(_TWITTER) - _MAY_BE_MISSING, len(_TWITTER))), grade="assumption",
         source="CP21: record length below the payload's, read to the letter; X21 §7 names no position"),
    _row("hello in many segments, small server window", FREE, _small_window),
    _row("hello padded past one packet", FREE, _up(_PADDED[:MSS], _PADDED[MSS:])),
    _row("hello split over two TLS records", FREE, _up(split_record(_TWITTER, 40)), grade="assumption",
         source="X21 §6.2: no reassembly"),
    _row("ChangeCipherSpec before the hello in the packet", FREE, _up(CHANGE_CIPHER_SPEC + _TWITTER)),
    _row("random packet over 100 bytes first, low TTL", FREE, _low_ttl_random),
    _row("idle about 10 minutes after the trigger", FREE, _idle_then_transfer),
    _row("trailing dot in the name", FREE, _up(client_hello("twitter.com.")), source="CP21"),
    _row("bit-inverted payload", FREE, _up(inverted(_TWITTER))),
    _row("no server name", FREE, _up(client_hello(None))),
    _row("unrelated server name", FREE, _up(_INNOCUOUS)),
    _row("encrypted client hello: innocuous outer name", FREE, _up(_INNOCUOUS), source="X21 §7: not tested",
         grade="assumption"),
    _row("one innocuous hello before the real one", THROTTLED, _innocuous_first),
    _row("RST injected", THROTTLED, _injected(reset=True)),
    _row("FIN injected", THROTTLED, _injected(reset=False)),
    _row("plain HTTP proxy", THROTTLED, _through_proxy(
        b"CONNECT twitter.com:443 HTTP/1.1\r\nHost: twitter.com:443\r\n\r\n",
        b"HTTP/1.1 200 Connection established\r\n\r\n")),
    _row("plain SOCKS 4 proxy", THROTTLED, _through_proxy(
        b"\x04\x01\x01\xbb\xc0\x00\x02\x01user\x00", b"\x00\x5a" + bytes(6))),
    _row("plain SOCKS 5 proxy", THROTTLED, _socks5),
    _row("hello sent by the server alone", THROTTLED, _server_only),
    _row("opened from outside, any hello", FREE, _from_outside),
]  # fmt: skip
