"""Options of evasions and probes: fields of a dataclass that say how a user writes them and what they are for."""

from __future__ import annotations

from dataclasses import asdict, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from testbed.errors import ScenarioError
from testbed.quantities import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["OptionError", "choice", "from_options", "known_options", "option", "server_name", "span", "whole"]

_MOST_NAME_BYTES = 253


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


_Made = TypeVar("_Made", bound=_Dataclass)


class OptionError(ScenarioError):
    """An option cannot be used. ``option`` is its name, ``problem`` what is wrong."""

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(f"option {option}: {problem}")
        self.option = option
        self.problem = problem


def option(default: Any, parse: Callable[[object], Any], about: str) -> Any:
    """A dataclass field that a user may set: its default, how it is read (raises ValueError), and a line of help."""
    return field(default=default, metadata={"parse": parse, "about": about})


def from_options(cls: type[_Made], given: Mapping[str, object]) -> _Made:
    """An object of ``cls`` with these options, written as a user would.

    Raises:
        OptionError: an option that ``cls`` has not, or a value that does not fit.
    """
    parsers = {each.name: each.metadata["parse"] for each in fields(cls)}
    values = {}
    for name, value in given.items():
        if name not in parsers:
            raise OptionError(name, f"unknown option (known: {', '.join(parsers) or 'none'})")
        try:
            values[name] = parsers[name](value)
        except ValueError as error:
            raise OptionError(name, str(error)) from error
    return cls(**values)


def known_options(made: _Dataclass) -> dict[str, Any]:
    """All options of an object with their values, plain."""
    return asdict(made)


def whole(least: int, most: int) -> Callable[[object], int]:
    """Read a whole number in [least, most]."""

    def parse(value: object) -> int:
        number = int(value) if isinstance(value, str) and value.isdecimal() else value
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise ValueError(f"expected a whole number from {least} to {most}, got {value!r}")
        return number

    return parse


def span(least_s: float, most_s: float) -> Callable[[object], float]:
    """Read a duration with its unit, in [least_s, most_s] seconds."""

    def parse(value: object) -> float:
        seconds = parse_duration(value)
        if not least_s <= seconds <= most_s:
            raise ValueError(f"expected a duration from {least_s:g} s to {most_s:g} s, got {value!r}")
        return seconds

    return parse


def choice(*known: str) -> Callable[[object], str]:
    """Read one of these words."""

    def parse(value: object) -> str:
        if value not in known:
            raise ValueError(f"expected one of {', '.join(known)}, got {value!r}")
        return str(value)

    return parse


def server_name(value: object) -> str:
    """A name as it goes into a hello: printable ASCII without blanks, at most 253 bytes. Raises ValueError."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value or " " in value:
        raise ValueError(f"expected a server name in ASCII, got {value!r}")
    if len(value) > _MOST_NAME_BYTES:
        raise ValueError(f"expected a server name of at most {_MOST_NAME_BYTES} bytes, got {len(value)}")
    return value
