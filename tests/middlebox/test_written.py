"""How single values are written, and what is said of those that are not."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from testbed.middlebox.packet import Direction
from testbed.middlebox.written import Bytes, Directions, PacketRange, Seconds, TcRate, Text, numbers, text, whole, words
from testbed.quantities import Written


def read(hint: object, written: object) -> object:
    reader = hint if isinstance(hint, Written) else get_args(hint)[1]
    assert isinstance(reader, Written)
    return reader.read(written)


@pytest.mark.parametrize(
    ("hint", "written", "value"),
    [
        (Seconds, "10 min", 600.0),
        (Seconds, "365 d", 31_536_000.0),
        (TcRate, "140 kbit/s", 140_000),
        (TcRate, "17.5 kB/s", 140_000),
        (Bytes, "16 KiB", 16_384),
        (PacketRange, [3, 15], (3, 15)),
        (PacketRange, [0, 0], (0, 0)),
        (Directions, ["down", "up"], frozenset(Direction)),
        (Text, "x", "x"),
        (words("a", "b"), ["b", "a"], ("b", "a")),
        (words("a", may_be_empty=True), [], ()),
        (numbers(1, 9), [3, 3, 1], frozenset({1, 3})),
        (whole(1, 3), 3, 3),
        (text(3), "äx", "äx"),
    ],
)
def test_values_as_asked_are_read(hint: object, written: object, value: object) -> None:
    assert read(hint, written) == value


@pytest.mark.parametrize(
    ("hint", "written", "problem"),
    [
        (Seconds, 600, "got 600: the unit is missing"),
        (Seconds, 1e300, "expected a duration such as '95 ms', got 1e\\+300"),
        (Seconds, "999 ns", "expected a duration from '1 us' to '365 d', got '999 ns'"),
        (Seconds, math.nan, "expected a duration such as '95 ms', got nan"),
        (TcRate, "0 bit/s", "expected a rate from '8 bit/s' to '32 Gbit/s', got '0 bit/s'"),
        (TcRate, "12 bit/s", "12 bit/s is no multiple of 8 bit/s; tc counts whole bytes per second"),
        (TcRate, "33 Gbit/s", "expected a rate from '8 bit/s' to '32 Gbit/s', got '33 Gbit/s'"),
        (TcRate, 10**5000, "expected a rate such as '140 kbit/s', got an enormous number"),
        (Bytes, "0 B", "expected a size from 1 B to 1099511627776 B, got '0 B'"),
        (Bytes, "1.5 B", "expected a size of whole B, got '1.5 B'"),
        (PacketRange, [3, 10**400], "expected 0 <= least <= most <= 1000000000, got \\[3, 1000"),
        (PacketRange, "3-15", "expected a list, \\[least, most\\], got '3-15'"),
        (Directions, [["up"]], "unknown value \\['up'\\]; expected some of up, down"),
        (words("a"), [], "expected some of a, got an empty list"),
        (words("a"), {"a": 1}, "expected a list, some of a, got {'a': 1}"),
        (whole(1, 3), 2.0, "expected a whole number from 1 to 3, got 2.0"),
        (whole(1, 3), True, "expected a whole number from 1 to 3, got True"),
        (text(3), "ääx", "5 bytes are too many for one packet; expected 3 or less"),
        (Text, "x" * 500 + "\ud800", "'\\\\ud800' at 500 is no character"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 100 else "",
)
def test_a_value_that_is_not_as_asked_is_refused(hint: object, written: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        read(hint, written)
    assert len(str(caught.value)) < 200
