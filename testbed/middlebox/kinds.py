"""A registry that finds its entries: the modules of a folder, each with the class of one kind.

A new kind is a new file. Nothing lists the kinds, neither here nor in the folder.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Generic, TypeVar

from testbed.middlebox.described import Described

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testbed.middlebox.described import SchemaHandler

__all__ = ["Kinds"]

T = TypeVar("T", bound=Described)


class Kinds(Generic[T]):
    """The classes of a folder by kind, in the order of the alphabet.

    In ``Annotated``, beside the class that they have in common, it tells readers that ``kind`` says which of them.

    Args:
        folder: The package's name and where its modules are: ``__name__`` and ``__path__``. `pkgutil` looks into
            archives too, and has the same order there; a guest's code is one.
        base: What the classes have in common. Those without a ``kind`` of their own are no entries.

    Raises:
        TypeError: Two modules have a class of one kind.
    """

    __slots__ = ("_classes",)

    def __init__(self, name: str, path: Iterable[str], base: type[T]) -> None:
        self._classes: dict[str, type[T]] = {}
        # Sorted though `pkgutil` sorts too: the order reaches messages and schemas, and is nothing that it promises.
        for found in sorted(iter_modules(path), key=lambda each: each.name):
            module = import_module(f"{name}.{found.name}")
            for cls in vars(module).values():
                # Modules name classes that they import; each counts where it was made.
                if isinstance(cls, type) and issubclass(cls, base) and cls.__module__ == module.__name__:
                    self._add(cls)

    def _add(self, cls: type[T]) -> None:
        # Its own, not an inherited one: a base of several actions is none itself.
        kind = vars(cls).get("kind")
        if kind is None:
            return
        if self._classes.setdefault(kind, cls) is not cls:
            raise TypeError(f"{cls.__module__} and {self._classes[kind].__module__} have both the kind {kind!r}")

    def __iter__(self) -> Iterator[str]:
        """The names of all kinds."""
        return iter(self._classes)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._classes)

    def __contains__(self, kind: object) -> bool:
        """Whether there is a kind of that name."""
        return isinstance(kind, str) and kind in self._classes

    def __getitem__(self, kind: str) -> type[T]:
        """The class of a kind."""
        return self._classes[kind]

    def build(self, plain: object) -> T:
        """Make one from plain JSON, whose ``kind`` says of which class."""
        if not isinstance(plain, dict):
            raise TypeError(f"expected a mapping with a kind, got {plain!r}")
        return self._classes[plain["kind"]].from_dict(plain)

    def __get_pydantic_core_schema__(self, source: object, handler: SchemaHandler) -> dict[str, object]:
        """Tell pydantic to take the class that ``kind`` names, and to give it the other keys."""
        del source
        make = handler.generate_schema
        choices = {
            kind: {
                "type": "function-before",
                "function": {"type": "no-info", "function": _without_kind},
                "schema": make(cls),
            }
            for kind, cls in self._classes.items()
        }
        return {"type": "tagged-union", "discriminator": "kind", "choices": choices}


def _without_kind(written: object) -> object:
    """The keys of one kind. That which chose it is no field: the class has it."""
    if not isinstance(written, dict):
        return written
    return {key: value for key, value in written.items() if key != "kind"}
