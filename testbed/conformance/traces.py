"""Generated traces: one hello a trace, sent in every way that was ever found to matter.

Split position, order of segments, split of the record, retransmission, padding, TTL, what comes first, and who opened.
The same trace through the pure model, a capture and the live box must give the same verdict for every packet. Each
trace has a connection of its own, so that any number of them can be put into one capture.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.conformance.bench import MSS, NS_PER_S, Connection
from testbed.conformance.hellos import client_hello, extended, named_extensions, padded, quic_initial
from testbed.middlebox.craft import CHANGE_CIPHER_SPEC, split_record, udp_datagram
from testbed.middlebox.packet import ACK, PSH, Direction, Packet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from random import Random

    from testbed.middlebox.profile import Profile

__all__ = ["NAMES", "Recipe", "draw_recipe", "extensions_for", "interleaved", "names_for", "packets", "write_trace"]

NAMES = ("twitter.com", "abs.twimg.com", "t.co", "reddit.com", "throttletwitter.com", "example.org", "twitter.com.")
_FIRST = (b"", b"", b"", CHANGE_CIPHER_SPEC, b"\xaa" * 99, b"\xaa" * 101, client_hello("example.org"))
_AFTER = 30
_SHORT_TTL = 2
# How many of all hellos are sent in each of these ways. Most are sent in none, so that enough of them are acted on.
_CUT, _REVERSED, _RECORD_CUT, _PADDED = 0.5, 0.3, 0.2, 0.2
_EXTENDED = 0.7
_AT_A_TIME = 20
_RAW_IP = 101
_SHORT_HEADER, _DATAGRAM = 0x40, 1000  # a QUIC packet once keys are known, whatever it holds
_LITERAL_KINDS = ("exact", "suffix", "substring")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a hello is sent.

    Attributes:
        name: The server name.
        cuts: Where the bytes are cut into segments.
        is_reversed: Segments in reverse order.
        record_cut: Where the message is cut into two TLS records; 0: not at all.
        repeated: How often each segment is sent.
        padded_to: Size of the record with padding; 0: as it is.
        ttl: Of the hello's packets.
        first: A payload that goes before, empty for none.
        opened_from: Who opened the connection.
        sender: Who sends the hello.
        is_http: A plain HTTP request in the hello's place; records and padding do not apply.
        extensions: Of the hello, beside its own.
        is_quic: The hello goes over QUIC, in one datagram; of the rest, the name and the extensions alone apply.
    """

    name: str
    cuts: tuple[int, ...]
    is_reversed: bool
    record_cut: int
    repeated: int
    padded_to: int
    ttl: int
    first: bytes
    opened_from: Direction
    sender: Direction
    is_http: bool = False
    extensions: tuple[str, ...] = ()
    is_quic: bool = False


def names_for(profile: Profile) -> tuple[str, ...]:
    """Return names that a profile's rules match, and the usual ones."""
    if any(rule.repeated is not None for rule in profile.rules):
        return NAMES[:2]  # so that one name often follows itself
    patterns = [pattern for rule in profile.rules if rule.kind in _LITERAL_KINDS for pattern in rule.patterns]
    return (*NAMES, *(f"www{pattern}" if pattern.startswith(".") else pattern for pattern in patterns))


def extensions_for(profile: Profile) -> tuple[str, ...]:
    """Return the extensions that a profile's rules ask for."""
    return tuple(dict.fromkeys(each for rule in profile.rules for each in rule.extensions))


def draw_recipe(
    random: Random,
    names: Sequence[str] = NAMES,
    *,
    http_share: float = 0.0,
    quic_share: float = 0.0,
    extensions: tuple[str, ...] = (),
) -> Recipe:
    """Return a recipe by lot, for one of ``names``; plain ones are frequent enough to be throttled.

    Args:
        random: Draws.
        names: The server names.
        http_share: How many of all are plain HTTP requests.
        quic_share: How many of all go over QUIC.
        extensions: Most of the hellos have these.
    """
    often = random.random
    return Recipe(
        name=random.choice(names),
        cuts=tuple(sorted(random.sample(range(1, 510), random.choice((1, 1, 2, 5))))) if often() < _CUT else (),
        is_reversed=often() < _REVERSED,
        record_cut=random.randrange(1, 500) if often() < _RECORD_CUT else 0,
        repeated=random.choice((1, 1, 1, 2, 3)),
        padded_to=random.choice((600, MSS, MSS + 1, 1800)) if often() < _PADDED else 0,
        ttl=random.choice((64, 64, _SHORT_TTL)),
        first=random.choice(_FIRST),
        opened_from=random.choice((Direction.UP, Direction.UP, Direction.UP, Direction.DOWN)),
        sender=random.choice((Direction.UP, Direction.UP, Direction.UP, Direction.DOWN)),
        is_http=http_share > 0 and often() < http_share,
        # No draw where nothing is asked for: the traces of the others stay what they were.
        extensions=extensions if extensions and often() < _EXTENDED else (),
        is_quic=quic_share > 0 and often() < quic_share,
    )


def packets(recipe: Recipe, connection: Connection) -> list[Packet]:
    """Return the packets of a recipe: handshake, what goes first, the hello, and data in both directions."""
    if recipe.is_quic:
        return _datagrams(recipe, connection)
    trace = connection.handshake(recipe.opened_from)
    if recipe.first:
        trace.append(connection.packet(recipe.sender, PSH | ACK, recipe.first))
    segments = [
        connection.packet(recipe.sender, PSH | ACK, payload, ttl=recipe.ttl)
        for payload in _segments(recipe, connection.mss)
    ]
    for segment in reversed(segments) if recipe.is_reversed else segments:
        trace += [segment] * recipe.repeated
    for _ in range(_AFTER):
        trace.append(connection.packet(Direction.DOWN, ACK, bytes(connection.mss)))
        trace.append(connection.packet(Direction.UP, ACK, bytes(300)))
    return trace


def _datagrams(recipe: Recipe, connection: Connection) -> list[Packet]:
    """Return the packets of a recipe over QUIC: the hello, and data in both directions."""
    data = bytes([_SHORT_HEADER]) + bytes(_DATAGRAM - 1)
    sent = [(Direction.UP, quic_initial(_hello(recipe)))] * recipe.repeated
    sent += [(direction, data) for _ in range(_AFTER) for direction in (Direction.DOWN, Direction.UP)]
    trace = []
    for direction, payload in sent:
        (src, sport), (dst, dport) = connection.ends[direction], connection.ends[direction.opposite]
        datagram = udp_datagram(src=src, dst=dst, sport=sport, dport=dport, payload=payload)
        trace.append(Packet.parse(datagram, direction))
    return trace


def interleaved(
    recipes: Iterable[Recipe], random: Random, *, inside: str = "10.0.0.1", outside: str = "192.0.2.1"
) -> Iterator[Packet]:
    """Yield the packets of many recipes, each on a connection of its own, twenty of them at a time."""
    waiting = (
        packets(
            recipe, Connection(inside, outside, inside_port=1024 + index % 60_000, outside_port=443 + index // 60_000)
        )
        for index, recipe in enumerate(recipes)
    )
    # Many at once, so that the box has to keep them apart; not all, which would take the memory of all.
    active = list(itertools.islice(waiting, _AT_A_TIME))
    while active:
        index = random.randrange(len(active))
        yield active[index].pop(0)
        if not active[index]:
            del active[index]
            active += itertools.islice(waiting, 1)


def write_trace(path: Path, trace: Iterable[tuple[int, Packet]]) -> None:
    """Write a capture of raw IP: packets with their times in nanoseconds."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, _RAW_IP))
        for t_ns, packet in trace:
            seconds, nanoseconds = divmod(t_ns, NS_PER_S)
            size = len(packet.data)
            file.write(struct.pack("<IIII", seconds, nanoseconds, size, size) + packet.data)


def _hello(recipe: Recipe) -> bytes:
    hello = client_hello(recipe.name)
    return extended(hello, named_extensions(*recipe.extensions)) if recipe.extensions else hello


def _segments(recipe: Recipe, mss: int) -> list[bytes]:
    hello = f"GET / HTTP/1.1\r\nHost: {recipe.name}\r\n\r\n".encode() if recipe.is_http else _hello(recipe)
    if recipe.padded_to and not recipe.is_http:
        hello = padded(hello, recipe.padded_to)
    # After padding: the cut is meant to fall into the hello, not into what fills it up.
    if recipe.record_cut and not recipe.is_http:
        hello = split_record(hello, recipe.record_cut)
    bounds = sorted({0, *(cut for cut in recipe.cuts if cut < len(hello)), *range(mss, len(hello), mss), len(hello)})
    return [hello[begin:end] for begin, end in itertools.pairwise(bounds)]
