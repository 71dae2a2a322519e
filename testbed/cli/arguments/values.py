"""How values on the command line are read: whatever is wrong with one becomes argparse's own message."""

from __future__ import annotations

import argparse
import functools
import math
from typing import TYPE_CHECKING, TypeVar

from testbed.quantities import parse_size
from testbed.scenario.instant import parse_instant
from testbed.scenario.sweep import parse_seeds

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["count", "days", "instant", "seconds", "seed", "seeds", "size"]

Value = TypeVar("Value")


def _told(read: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return a reader that raises what argparse shows in the place of ValueError."""

    @functools.wraps(read)
    def reader(text: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return reader


@_told
def count(text: str) -> int:
    """Read a whole number from 1 on."""
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise ValueError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


@_told
def seconds(text: str) -> float:
    """Read a number of seconds above zero."""
    return _above_zero(text, "seconds")


@_told
def days(text: str) -> float:
    """Read a number of days; 0 is one, too."""
    return 0.0 if text == "0" else _above_zero(text, "days")


@_told
def seed(text: str) -> int:
    """Read one seed."""
    # 0 would be "the scenario's own" further on.
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) < 1 << 63:
        raise ValueError(f"expected a whole number from 1 to 2**63 - 1, got {text!r}")
    return int(text)


@_told
def size(text: str) -> int:
    """Read a size with its unit; return bytes."""
    return parse_size(text)


seeds = _told(parse_seeds)
instant = _told(parse_instant)


def _above_zero(text: str, unit: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"expected a number of {unit}, got {text!r}")
    return number
