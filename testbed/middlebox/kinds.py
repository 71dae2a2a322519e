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
    """The classes of a folder by kind, in the order of the alphabet. A module is called as the kind of its class.

    In ``Annotated``, beside the class that they have in common, it tells readers that ``kind`` says which of them.
    A module is loaded when its kind is asked for: a guest, which starts anew in every run, uses one or two.

    Args:
        name: The package's name, its ``__name__``.
        path: Where its modules are, its ``__path__``. `pkgutil` looks into archives too; a guest's code is one.
        base: What the classes have in common. Modules without a class that has a ``kind`` are no entries.
    """

    __slots__ = ("_base", "_classes", "_is_complete", "_name", "_path")

    def __init__(self, name: str, path: Iterable[str], base: type[T]) -> None:
        self._name = name
        self._path = path
        self._base = base
        self._classes: dict[str, type[T]] = {}
        self._is_complete = False

    def __iter__(self) -> Iterator[str]:
        """The names of all kinds."""
        return iter(self._all())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all())

    def __contains__(self, kind: object) -> bool:
        """Whether there is a kind of that name."""
        return isinstance(kind, str) and kind in self._all()

    def __getitem__(self, kind: str) -> type[T]:
        """The class of a kind.

        Raises:
            KeyError: There is no such kind.
            TypeError: A module has a kind that is not its name.
        """
        known = self._classes.get(kind)
        if known is not None:
            return known
        found = self._in_module(kind)
        if found is None:
            raise KeyError(kind)
        return self._classes.setdefault(kind, found)

    def _all(self) -> dict[str, type[T]]:
        if not self._is_complete:
            # Sorted though `pkgutil` sorts too: the order reaches messages and schemas, and is no promise of its.
            names = sorted(each.name for each in iter_modules(self._path))
            found = {name: cls for name in names if (cls := self._in_module(name)) is not None}
            self._classes, self._is_complete = found, True
        return self._classes

    def _in_module(self, kind: str) -> type[T] | None:
        """Return the class of a module, if it is one of a kind."""
        module = import_module(f"{self._name}.{kind}")
        for cls in vars(module).values():
            if not isinstance(cls, type) or not issubclass(cls, self._base):
                continue
            # Modules name classes that they import; each counts where it was made. And its kind must be its own: a base
            # of several actions is none itself.
            if cls.__module__ == module.__name__ and "kind" in vars(cls):
                own = vars(cls)["kind"]
                if own != kind:
                    raise TypeError(f"{cls.__module__} has the kind {own!r}; a module is called as its kind")
                return cls
        return None

    def build(self, plain: object) -> T:
        """Make one from plain JSON, whose ``kind`` says of which class."""
        if not isinstance(plain, dict):
            raise TypeError(f"expected a mapping with a kind, got {plain!r}")
        return self[plain["kind"]].from_dict(plain)

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
            for kind, cls in self._all().items()
        }
        return {"type": "tagged-union", "discriminator": "kind", "choices": choices}


def _without_kind(written: object) -> object:
    """Return the keys of one kind. That which chose it is no field: the class has it."""
    if not isinstance(written, dict):
        return written
    return {key: value for key, value in written.items() if key != "kind"}
