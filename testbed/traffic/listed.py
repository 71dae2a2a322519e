"""Classes by name, each loaded when it is asked for: a guest starts anew in every run, and uses one or two."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Listed"]

T = TypeVar("T")


class Listed(Mapping[str, type[T]]):
    """A registry in the order in which it is written.

    Args:
        package: Whose modules they are in.
        places: Where each class is, as ``module:Class``, by the name that a user calls it.
    """

    def __init__(self, package: str, places: Mapping[str, str]) -> None:
        self._package = package
        self._places = places

    def __getitem__(self, name: str) -> type[T]:
        """The class of a name. Raises KeyError."""
        module, _, attribute = self._places[name].partition(":")
        found: type[T] = getattr(import_module(f"{self._package}.{module}"), attribute)
        return found

    def __contains__(self, name: object) -> bool:
        """Whether there is one of that name; it is not loaded."""
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        """All names."""
        return iter(self._places)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._places)
