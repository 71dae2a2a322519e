"""How each value of a profile is written: what its field's annotation reads, refuses, and shows to editors.

`testbed.quantities` has the quantities; here are their bounds, which are those of a live box, and what is no quantity:
words, lists of words, whole numbers, ranges, text. All read on the host alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeGuard

from testbed.middlebox.packet import Direction
from testbed.quantities import Written, parse_duration, parse_rate, parse_size, shown

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Bytes",
    "Directions",
    "PacketRange",
    "Seconds",
    "TcRate",
    "Text",
    "numbers",
    "size",
    "text",
    "whole",
    "words",
]  # fmt: skip

# Bounds of what a live box can honour: its timers count nanoseconds since 1970 in 64 bits, its log whole microseconds.
_SHORTEST_S, _LONGEST_S = 1e-6, 365 * 24 * 3600.0
_MOST_PACKETS = 1_000_000_000
_MOST_BPS = 32_000_000_000  # tc counts bytes per second in 32 bits
_MOST_BYTES = 1 << 40
_BITS = 8


def words(*known: str, may_be_empty: bool = False) -> Written:
    """Return a list of known words, none twice."""
    return Written(lambda written: _read_words(written, known, may_be_empty=may_be_empty), _words_schema(known))


def numbers(least: int, most: int) -> Written:
    """Return a list of whole numbers within their bounds, as a set."""
    wanted = f"whole numbers from {least} to {most}"

    def read(written: object) -> frozenset[int]:
        found = set()
        for item in _items(written, wanted):
            if not _is_whole(item) or not least <= item <= most:
                raise ValueError(f"expected {wanted}, got {shown(item)}")
            found.add(item)
        return frozenset(found)

    return Written(read, {"type": "array", "items": {"type": "integer", "minimum": least, "maximum": most}})


def whole(least: int, most: int) -> Written:
    """Return a whole number within its bounds."""

    def read(written: object) -> int:
        if not _is_whole(written) or not least <= written <= most:
            raise ValueError(f"expected a whole number from {least} to {most}, got {shown(written)}")
        return written

    return Written(read, {"type": "integer", "minimum": least, "maximum": most})


def size(least: int, most: int = _MOST_BYTES) -> Written:
    """Return a size with its unit, within its bounds."""
    wanted = f"a size from {least} B to {most} B"
    return _within(parse_size, least=least, most=most, wanted=wanted, about="a size, such as 16 KiB")


def text(longest: int | None = None) -> Written:
    """Text that is not empty and can be sent; ``longest`` bytes of UTF-8 at most."""

    def read(written: object) -> str:
        if not isinstance(written, str) or not written:
            raise ValueError(f"expected text, got {shown(written)}")
        try:
            count = len(written.encode())
        except UnicodeEncodeError as error:
            raise ValueError(f"{error.object[error.start]!a} at {error.start} is no character") from error
        if longest is not None and count > longest:
            raise ValueError(f"{count} bytes are too many for one packet; expected {longest} or less")
        return written

    return Written(read, {"type": "string", "minLength": 1})


def _within(read_it: Callable[[object], float], *, least: float, most: float, wanted: str, about: str) -> Written:
    """Return a quantity between two bounds."""

    def read(written: object) -> float:
        value = read_it(written)
        if not least <= value <= most:
            raise ValueError(f"expected {wanted}, got {shown(written)}")
        return value

    return Written(read, {"type": "string", "description": about})


def _read_rate(written: object) -> int:
    rate_bps = parse_rate(written)
    if rate_bps % _BITS:
        raise ValueError(f"{rate_bps} bit/s is no multiple of 8 bit/s; tc counts whole bytes per second")
    return rate_bps


def _read_range(written: object) -> tuple[int, int]:
    items = _items(written, "[least, most]")
    if len(items) != len(("least", "most")) or not all(_is_whole(item) for item in items):
        raise ValueError(f"expected [least, most], got {shown(items)}")
    low, high = (item for item in items if _is_whole(item))
    if not 0 <= low <= high <= _MOST_PACKETS:
        raise ValueError(f"expected 0 <= least <= most <= {_MOST_PACKETS}, got {shown(items)}")
    return low, high


def _read_directions(written: object) -> frozenset[Direction]:
    return frozenset(map(Direction, _read_words(written, _DIRECTION_WORDS, may_be_empty=False)))


def _read_words(written: object, known: tuple[str, ...], *, may_be_empty: bool) -> tuple[str, ...]:
    wanted = f"some of {', '.join(known)}"
    found = []
    for item in _items(written, wanted):
        if not isinstance(item, str) or item not in known:
            raise ValueError(f"unknown value {shown(item)}; expected {wanted}")
        if item in found:
            raise ValueError(f"the same value twice: {item}")
        found.append(item)
    if not found and not may_be_empty:
        raise ValueError(f"expected {wanted}, got an empty list")
    return tuple(found)


def _items(written: object, wanted: str) -> list[object]:
    if isinstance(written, list | tuple):
        return list(written)
    raise ValueError(f"expected a list, {wanted}, got {shown(written)}")


def _is_whole(written: object) -> TypeGuard[int]:
    """Return whether it is an integer. YAML's true and false are integers of Python's too."""
    return isinstance(written, int) and not isinstance(written, bool)


def _words_schema(known: tuple[str, ...]) -> dict[str, object]:
    return {"type": "array", "items": {"enum": list(known)}, "uniqueItems": True}


_DIRECTION_WORDS = tuple(direction.value for direction in Direction)

Directions = Annotated[frozenset[Direction], Written(_read_directions, _words_schema(_DIRECTION_WORDS))]
"""Which way: some of up and down."""

Seconds = Annotated[
    float,
    _within(
        parse_duration, least=_SHORTEST_S, most=_LONGEST_S, wanted="a duration from '1 us' to '365 d'",
        about="a duration with its unit, such as 10 min",
    ),
]  # fmt: skip
"""A duration that a live box can honour: seconds."""

TcRate = Annotated[
    int,
    _within(
        _read_rate, least=_BITS, most=_MOST_BPS, wanted="a rate from '8 bit/s' to '32 Gbit/s'",
        about="a rate with its unit, such as 140 kbit/s",
    ),
]  # fmt: skip
"""A rate that tc can hold: bits per second, a multiple of 8."""

Bytes = Annotated[int, size(1)]
"""A size of 1 byte or more."""

PacketRange = Annotated[
    tuple[int, int],
    Written(
        _read_range,
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": _MOST_PACKETS},
            "minItems": 2,
            "maxItems": 2,
        },
    ),
]
"""[least, most] packets, drawn by lot, each as likely."""

Text = Annotated[str, text()]
"""Text that is not empty."""
