"""Read untrusted JSON strictly: each value is of the expected kind, or the error names it. Never NaN, never pickles."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Fields", "load_json"]

Choice = TypeVar("Choice", bound=StrEnum)
_SHOWN_CHARACTERS = 40


def load_json(text: str | bytes, where: str) -> object:
    """Parse JSON, refusing NaN and infinities, which JSON has not.

    Raises:
        InputError: The text is no JSON; the message begins with ``where``.
    """

    # Python reads them. A speed of NaN would pass every comparison that asks whether it is too small.
    def refuse(constant: str) -> object:
        raise InputError(f"{where}: {constant} is not JSON; leave the sample out, or write null")

    try:
        value: object = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {error}") from error
    return value


class Fields:
    """A JSON object read field by field.

    Args:
        value: What should be an object.
        where: File and place, for messages.

    Raises:
        InputError: It is none.
    """

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected a JSON object, found {_kind(value)}")
        self._value = value
        self.where = where

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all fields."""
        return tuple(self._value)

    def only(self, *names: str) -> None:
        """Refuse fields other than ``names``.

        Raises:
            InputError: There is another one.
        """
        unknown = sorted(set(self._value) - set(names))
        if unknown:
            raise InputError(f"{self.where}: unknown field {unknown[0]!r}; known are: {', '.join(names)}")

    def nested(self, name: str) -> Fields:
        """Return a mandatory object."""
        return Fields(self._value.get(name), f"{self.where}: {name}")

    def optional_nested(self, name: str) -> Fields | None:
        """Return an object, or None where it is absent or null."""
        return self.nested(name) if name in self else None

    def records(self, name: str) -> Iterator[Fields]:
        """Yield the objects of a list; an absent list is empty."""
        for number, item in enumerate(self._list(name)):
            yield Fields(item, f"{self.where}: {name}[{number}]")

    def text(self, name: str) -> str:
        """Return a mandatory text."""
        value = self._value.get(name)
        if not isinstance(value, str):
            raise InputError(f"{self.where}: {name} is {_kind(value)}, expected a text")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a text, or None where it is absent or null."""
        return self.text(name) if name in self else None

    def choice(self, name: str, choices: type[Choice]) -> Choice:
        """Return a member of an enumeration of texts."""
        value = self.text(name)
        if value not in set(choices):
            raise InputError(f"{self.where}: {name} is {value!r}, not one of: {', '.join(choices)}")
        return choices(value)

    def number(self, name: str) -> float:
        """Return a mandatory finite number."""
        value = self._value.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:  # an integer of JSON may have any number of digits
                number = math.inf
            if math.isfinite(number):
                return number
        raise InputError(f"{self.where}: {name} is {_kind(value)}, expected a number")

    def optional_number(self, name: str) -> float | None:
        """Return a finite number, or None where it is absent or null."""
        return self.number(name) if name in self else None

    def optional_integer(self, name: str) -> int | None:
        """Return an integer, or None where it is absent or null."""
        number = self.optional_number(name)
        if number is not None and number != int(number):
            raise InputError(f"{self.where}: {name} is {number}, expected an integer")
        return None if number is None else int(number)

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; an absent list is empty."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise InputError(f"{self.where}: {name} holds something that is not a text")
        return [str(value) for value in values]

    def text_map(self, name: str) -> dict[str, str]:
        """Return an object whose values are texts; an absent one is empty."""
        inner = self.optional_nested(name)
        return {} if inner is None else {key: inner.text(key) for key in inner.names}

    def endpoint(self, name: str) -> tuple[str, int]:
        """Return a mandatory pair of address and port."""
        match self._value.get(name):
            case [str(address), int(port)] if not isinstance(port, bool):
                return address, port
            case other:
                raise InputError(f"{self.where}: {name} is {_kind(other)}, expected an address and a port")

    def columns(self, name: str) -> dict[str, NDArray[np.float64]]:
        """Return an object whose values are lists of numbers; an absent one is empty."""
        inner = self.optional_nested(name)
        return {} if inner is None else {key: inner.column(key) for key in inner.names}

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a mandatory list of finite numbers as an array.

        Raises:
            InputError: It is absent, or an item is no number, or does not fit.
        """
        try:
            array = np.array(self._numbers(name), np.float64)
        except (OverflowError, ValueError) as error:
            raise self._does_not_fit(name, error) from error
        if not np.isfinite(array).all():
            raise InputError(f"{self.where}: {name} holds an infinite number")
        return array

    def integers(self, name: str) -> NDArray[np.int64]:
        """Return a mandatory list of integers as an array.

        Raises:
            InputError: It is absent, or an item is no integer, or does not fit.
        """
        values = self._numbers(name)
        try:
            if set(map(type, values)) <= {int}:  # nearly every list: what follows asks each item for itself
                return np.array(values, np.int64)
            if not all(value == int(value) for value in values):
                raise InputError(f"{self.where}: {name} holds fractions, expected integers")
            return np.array([int(value) for value in values], np.int64)
        except (OverflowError, ValueError) as error:
            raise self._does_not_fit(name, error) from error

    def _numbers(self, name: str) -> list[int | float]:
        values = self._value.get(name)
        if not isinstance(values, list):
            raise InputError(f"{self.where}: {name} is {_kind(values)}, expected a list of numbers")
        # A capture has millions of numbers: only a list that holds something else is looked through.
        for place, value in [] if set(map(type, values)) <= {int, float} else enumerate(values):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"{self.where}: {name}[{place}] is {_kind(value)}, expected a number")
        return values

    def _does_not_fit(self, name: str, error: Exception) -> InputError:
        return InputError(f"{self.where}: {name} holds a number that does not fit: {error}")

    def _list(self, name: str) -> list[object]:
        value = self._value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise InputError(f"{self.where}: {name} is {_kind(value)}, expected a list")
        return value


def _kind(value: object) -> str:
    if value is None:
        return "absent"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}..."
