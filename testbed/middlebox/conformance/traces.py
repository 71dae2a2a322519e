"""Generated traces: one hello a trace, sent in every way that was ever found to matter.

Split position, order of segments, split of the record, retransmission, padding, TTL, what comes first, and who opened.
The same trace through the pure model, a capture and the live box must give the same verdict for every packet. Each
trace has a connection of its own, so that any number of them can be put into one capture.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.conformance.bench import MSS, Connection
from testbed.middlebox.conformance.hellos import CHANGE_CIPHER_SPEC, client_hello, padded, split_record
from testbed.middlebox.packet import ACK, PSH, Direction, Packet

if TYPE_CHECKING:
    from random import Random

__all__ = ["Recipe", "draw_recipe", "packets"]

NAMES = ("twitter.com", "abs.twimg.com", "t.co", "reddit.com", "throttletwitter.com", "example.org", "twitter.com.")
_FIRST = (b"", b"", b"", CHANGE_CIPHER_SPEC, b"\xaa" * 99, b"\xaa" * 101, client_hello("example.org"))
_AFTER = 30
_SHORT_TTL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a hello is sent.

    Attributes:
        name: the server name.
        cuts: where the bytes are cut into segments.
        is_reversed: segments in reverse order.
        record_cut: where the message is cut into two TLS records; 0: not at all.
        repeated: how often each segment is sent.
        padded_to: size of the record with padding; 0: as it is.
        ttl: of the hello's packets.
        first: a payload that goes before, empty for none.
        opened_from: who opened the connection.
        sender: who sends the hello.
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


def draw_recipe(random: Random) -> Recipe:
    """A recipe by lot; plain ones are frequent enough to be throttled."""
    often = random.random
    return Recipe(
        name=random.choice(NAMES),
        cuts=tuple(sorted(random.sample(range(1, 510), random.choice((1, 1, 2, 5))))) if often() < 0.5 else (),  # noqa: PLR2004
        is_reversed=often() < 0.3,  # noqa: PLR2004
        record_cut=random.randrange(1, 500) if often() < 0.2 else 0,  # noqa: PLR2004
        repeated=random.choice((1, 1, 1, 2, 3)),
        padded_to=random.choice((600, MSS, MSS + 1, 1800)) if often() < 0.2 else 0,  # noqa: PLR2004
        ttl=random.choice((64, 64, _SHORT_TTL)),
        first=random.choice(_FIRST),
        opened_from=random.choice((Direction.UP, Direction.UP, Direction.UP, Direction.DOWN)),
        sender=random.choice((Direction.UP, Direction.UP, Direction.UP, Direction.DOWN)),
    )


def packets(recipe: Recipe, connection: Connection) -> list[Packet]:
    """The packets of a recipe: handshake, what goes first, the hello, and data in both directions."""
    trace = connection.handshake(recipe.opened_from)
    if recipe.first:
        trace.append(connection.packet(recipe.sender, PSH | ACK, recipe.first))
    segments = [connection.packet(recipe.sender, PSH | ACK, payload, ttl=recipe.ttl) for payload in _segments(recipe)]
    for segment in reversed(segments) if recipe.is_reversed else segments:
        trace += [segment] * recipe.repeated
    for _ in range(_AFTER):
        trace.append(connection.packet(Direction.DOWN, ACK, bytes(MSS)))
        trace.append(connection.packet(Direction.UP, ACK, bytes(300)))
    return trace


def _segments(recipe: Recipe) -> list[bytes]:
    hello = client_hello(recipe.name)
    if recipe.padded_to:
        hello = padded(hello, recipe.padded_to)
    if recipe.record_cut:
        hello = split_record(hello, recipe.record_cut)
    bounds = sorted({0, *(cut for cut in recipe.cuts if cut < len(hello)), *range(MSS, len(hello), MSS), len(hello)})
    return [hello[begin:end] for begin, end in itertools.pairwise(bounds)]
