"""Emulated instants as people read them."""

from __future__ import annotations

import time

__all__ = ["iso_time"]

_NS_PER_S = 1_000_000_000


def iso_time(instant_ns: int) -> str:
    """Return nanoseconds since the epoch as ISO 8601 in UTC, to the nanosecond."""
    # datetime has microseconds only, and a float of seconds loses the last two digits of today's nanoseconds
    seconds, nanoseconds = divmod(instant_ns, _NS_PER_S)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z"
