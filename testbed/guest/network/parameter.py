"""Parameters of topologies: what people write, and the seconds, rates, shares and counts that a topology takes.

Not for: topologies themselves (topology.py), or lists of access lines (lines.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed.errors import ScenarioError
from testbed.quantities import format_rate, parse_duration, parse_rate, parse_share

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Parameter", "ParameterError", "count", "delay", "parse_count", "parse_link_delay", "parse_link_rate", "rate",
    "share",
]  # fmt: skip

# The kernel's HTB counts bytes per second, and the time that its burst takes in units of 64 ns, in 32 bits each.
_SLOWEST_BPS, _FASTEST_BPS = 1_000, 30_000_000_000
_LONGEST_DELAY_S = 60
_MOST_DIGITS = 6


class ParameterError(ScenarioError):
    """A topology parameter cannot be used. ``parameter`` is its name, ``problem`` what is wrong."""

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"topology parameter {parameter}: {problem}")
        self.parameter = parameter
        self.problem = problem


def parse_count(value: object) -> int:
    """Return a whole number of zero or more; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdecimal():
        raise ValueError(f"expected a whole number, got {value!r}")
    if len(str(value)) > _MOST_DIGITS:
        raise ValueError(f"expected a whole number of at most {_MOST_DIGITS} digits, got {value!r}")
    return int(value)


def parse_link_rate(value: object) -> int:
    """Bit/s that the kernel can limit a link to, or 0; raises ValueError."""
    rate_bps = parse_rate(value)
    if rate_bps and not _SLOWEST_BPS <= rate_bps <= _FASTEST_BPS:
        raise ValueError(
            f"expected a rate from {format_rate(_SLOWEST_BPS)} to {format_rate(_FASTEST_BPS)}, got {value!r}"
        )
    return rate_bps


def parse_link_delay(value: object) -> float:
    """Return seconds that a packet may be under way on a link; raises ValueError."""
    seconds = parse_duration(value)
    if seconds > _LONGEST_DELAY_S:
        raise ValueError(f"expected at most {_LONGEST_DELAY_S} s, got {value!r}")
    return seconds


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a topology.

    Attributes:
        default: As a user would write it.
        parse: Text to value; raises ValueError with what was expected.
        about: One line of help, with the source where the default has one.
    """

    default: object
    parse: Callable[[object], Any]  # what a topology takes: seconds, a rate, a list of lines
    about: str


def delay(default: str, about: str) -> Parameter:
    """Return a parameter that is a time, kept in seconds."""
    return Parameter(default, parse_link_delay, about)


def rate(default: str, about: str) -> Parameter:
    """Return a parameter that is a rate, kept in bit/s."""
    return Parameter(default, parse_link_rate, about)


def share(default: str, about: str) -> Parameter:
    """Return a parameter that is written in percent, kept as a share from 0 to 1."""
    return Parameter(default, parse_share, about)


def count(default: int, about: str) -> Parameter:
    """Return a parameter that is a whole number."""
    return Parameter(default, parse_count, about)
