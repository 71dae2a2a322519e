"""Strict reading of one mapping of a profile: every key is asked for by name and type, and what is left is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from testbed.errors import ScenarioError

__all__ = ["LONGEST_S", "MOST_PACKETS", "SHORTEST_S", "ProfileError", "Section"]

T = TypeVar("T")

# Bounds of what a live box can honour: its timers count nanoseconds since 1970 in 64 bits, its log whole microseconds.
SHORTEST_S, LONGEST_S = 1e-6, 365 * 24 * 3600.0
MOST_PACKETS = 1_000_000_000

_SHOWN = 60


class ProfileError(ScenarioError):
    """A profile cannot be used. ``key`` is the dotted key that is wrong; list items count from 0: ``rules.0.id``."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"profile key {key}: {problem}" if key else f"profile: {problem}")
        self.key = key
        self.problem = problem


class Section:
    """A mapping whose keys are taken one by one.

    Every method that takes a key raises `ProfileError` when it is missing or its value is not as asked.
    """

    __slots__ = ("_left", "_path")

    def __init__(self, plain: object, path: str = "") -> None:
        if not isinstance(plain, Mapping):
            raise ProfileError(path, f"expected a mapping, not {_shown(plain)}")
        self._left = {str(key): value for key, value in plain.items()}
        self._path = path

    def keys_left(self) -> tuple[str, ...]:
        """Keys that nobody has asked for yet."""
        return tuple(self._left)

    def has(self, key: str) -> bool:
        """Whether a key is there, with a value, and nobody has asked for it yet. A null counts as absent."""
        if self._left.get(key) is None:
            self._left.pop(key, None)
            return False
        return True

    def error(self, key: str | None, problem: str) -> ProfileError:
        """An error about a key of this section, or about the section itself."""
        return ProfileError(self._full(key) if key else self._path, problem)

    def close(self) -> None:
        """Refuse keys that nobody asked for."""
        for key in self._left:
            raise self.error(key, "unknown key; remove it or correct its spelling")

    def section(self, key: str) -> Section:
        """A nested mapping. The caller closes it."""
        return Section(self._take(key), self._full(key))

    def read(self, key: str, reader: Callable[[Section], T]) -> T:
        """What ``reader`` makes of a nested mapping, of which it must leave nothing."""
        section = self.section(key)
        result = reader(section)
        section.close()
        return result

    def sections(self, key: str) -> list[Section]:
        """A list of mappings."""
        return [Section(item, f"{self._full(key)}.{index}") for index, item in enumerate(self._list(key))]

    def text(self, key: str) -> str:
        """A string that is not empty."""
        value = self._take(key)
        if not isinstance(value, str) or not value:
            raise self.error(key, f"expected text, not {_shown(value)}")
        return value

    def text_or_none(self, key: str) -> str | None:
        """A string, or null; the key may be missing."""
        return self.text(key) if self.has(key) else None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings, or one string standing for such a list."""
        value = self._take(key)
        items = value if isinstance(value, list | tuple) else [value]
        for item in items:
            if not isinstance(item, str) or not item:
                raise self.error(key, f"expected text, not {_shown(item)}")
        return tuple(str(item) for item in items)

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        """One of the known words."""
        value = self._take(key)
        if value not in known:
            raise self.error(key, f"unknown value {_shown(value)}; expected one of {', '.join(known)}")
        return str(value)

    def choices(self, key: str, known: tuple[str, ...], *, may_be_empty: bool = False) -> tuple[str, ...]:
        """A list of known words, none twice."""
        items = self._list(key)
        for item in items:
            if item not in known:
                raise self.error(key, f"unknown value {_shown(item)}; expected some of {', '.join(known)}")
        if len(set(map(str, items))) != len(items):
            raise self.error(key, "the same value twice")
        if not items and not may_be_empty:
            raise self.error(key, f"empty; expected some of {', '.join(known)}")
        return tuple(map(str, items))

    def choice_or(self, key: str, known: tuple[str, ...]) -> str:
        """One of the known words; the first of them if the key is missing."""
        return self.choice(key, known) if self.has(key) else known[0]

    def seconds(self, key: str) -> float:
        """A duration that a live box can honour."""
        return self.number(key, least=SHORTEST_S, most=LONGEST_S)

    def seconds_or_none(self, key: str) -> float | None:
        """The same, or None if the key is missing."""
        return self.seconds(key) if self.has(key) else None

    def integers(self, key: str, *, least: int, most: int) -> tuple[int, ...]:
        """A list of whole numbers within their bounds."""
        numbers = []
        for item in self._list(key):
            if isinstance(item, bool) or not isinstance(item, int) or not least <= item <= most:
                raise self.error(key, f"expected whole numbers from {least} to {most}, not {_shown(item)}")
            numbers.append(item)
        return tuple(numbers)

    def number(self, key: str, *, least: float, most: float) -> float:
        """A number within its bounds."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise self.error(key, f"expected a number from {least:.12g} to {most:.12g}, not {_shown(value)}")
        self._check_bounds(key, value, least, most)
        return float(value)

    def integer(self, key: str, *, least: int, most: int) -> int:
        """A whole number within its bounds."""
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, f"expected a whole number, not {_shown(value)}")
        self._check_bounds(key, value, least, most)
        return value

    def range(self, key: str, *, least: int, most: int = MOST_PACKETS) -> tuple[int, int]:
        """Two whole numbers, the smaller first."""
        items = self._list(key)
        if len(items) != 2 or not all(isinstance(item, int) and not isinstance(item, bool) for item in items):  # noqa: PLR2004
            raise self.error(key, f"expected [least, most], not {_shown(items)}")
        low, high = (item for item in items if isinstance(item, int))
        if not least <= low <= high <= most:
            raise self.error(key, f"expected {least} <= least <= most <= {most}, not {_shown(items)}")
        return low, high

    def _check_bounds(self, key: str, value: float, least: float, most: float) -> None:
        if value < least:
            raise self.error(key, f"{_shown(value)} is too small; expected {least:.12g} or more")
        if value > most:
            raise self.error(key, f"{_shown(value)} is too large; expected {most:.12g} or less")

    def _list(self, key: str) -> list[object]:
        value = self._take(key)
        if not isinstance(value, list | tuple):
            raise self.error(key, f"expected a list, not {_shown(value)}")
        return list(value)

    def _take(self, key: str) -> object:
        if key not in self._left:
            raise self.error(key, "missing")
        return self._left.pop(key)

    def _full(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def _is_finite(value: float) -> bool:
    """Whether a number is one, of whatever size: ``math.isfinite`` fails on an integer of 400 digits."""
    return isinstance(value, int) or math.isfinite(value)


def _shown(value: object) -> str:
    """A value for a message, cut where it is long. Python refuses to write integers of thousands of digits."""
    try:
        text = repr(value)
    except ValueError:
        text = "an enormous number"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
