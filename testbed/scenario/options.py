"""Options of evasions and probes, read as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from testbed.errors import ScenarioError
from testbed.traffic.options import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

__all__ = ["OptionError", "read_options"]

_Made = TypeVar("_Made", bound="DataclassInstance")


class OptionError(ScenarioError):
    """An option cannot be used. ``option`` is its name, ``problem`` what is wrong."""

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(f"option {option}: {problem}")
        self.option = option
        self.problem = problem


def read_options(cls: type[_Made], given: Mapping[str, object]) -> _Made:
    """Make an object whose fields are its options.

    Args:
        cls: A dataclass whose fields are made by `testbed.traffic.options.option`.
        given: Options as people write them; those that are missing have their defaults.

    Raises:
        OptionError: The first option that ``cls`` has not, or whose value does not fit.
    """
    known = written(cls)
    values: dict[str, object] = {}
    for name, value in given.items():
        if name not in known:
            raise OptionError(name, f"unknown option (known: {', '.join(known) or 'none'})")
        try:
            values[name] = known[name].read(value)
        except ValueError as error:
            raise OptionError(name, str(error)) from error
    return cls(**values)
