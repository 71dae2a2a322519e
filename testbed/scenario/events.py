"""Timed events as scenarios write them: which kinds there are, and how one is read.

A kind is a module of `testbed.guest.events`; its fields are read by what their annotations say. Nothing here knows a
kind by its name.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import core_schema

from testbed.guest import events
from testbed.guest.events import event_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetCoreSchemaHandler

    from testbed.guest.timed_event import TimedEvent

__all__ = ["OneOfTheKinds", "event_names"]


def event_names() -> list[str]:
    """Return the kinds of timed events, by name."""
    return sorted(found.name for found in pkgutil.iter_modules(events.__path__))


@dataclass(frozen=True, slots=True)
class OneOfTheKinds:
    """How an item of ``events`` is read; it stands in ``Annotated``, as pydantic wants.

    An item is a mapping with one key, the kind; below it are the keys of that kind.
    """

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """A mapping with the kinds as keys, of which there is one."""
        del source
        kinds = {
            name: core_schema.typed_dict_field(handler.generate_schema(event_kind(name)), required=False)
            for name in event_names()
        }
        item = core_schema.typed_dict_schema(kinds, extra_behavior="forbid")
        one = core_schema.no_info_before_validator_function(_with_one_kind, item)
        return core_schema.no_info_after_validator_function(_only_value, one)


def _with_one_kind(item: object) -> object:
    names = event_names()
    if not isinstance(item, dict) or len(item) != 1 or next(iter(item)) not in names:
        given = f"got the keys {', '.join(map(str, item))}" if isinstance(item, dict) else f"got {item!r:.60}"
        raise ValueError(f"expected a mapping with one key, a kind of event ({', '.join(names)}), {given}")
    return item


def _only_value(item: Mapping[str, TimedEvent]) -> TimedEvent:
    return next(iter(item.values()))
