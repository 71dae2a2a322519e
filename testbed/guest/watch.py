"""Many descriptors and what is to be done when each is readable, always in the order in which they were added."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Watch"]


class Watch:
    """A poll with its handlers. The order is fixed, so that a run's events are handled alike every time."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}

    def add(self, descriptor: int, handle: Callable[[], None]) -> None:
        """Call ``handle`` whenever a descriptor is readable, or its other side is gone."""
        self._poll.register(descriptor, select.POLLIN)
        self._handlers[descriptor] = handle

    def remove(self, descriptor: int) -> None:
        """Watch it no longer. A handler may remove its own."""
        self._poll.unregister(descriptor)
        del self._handlers[descriptor]

    def wait(self, timeout_ms: int | None) -> set[int]:
        """Wait until something is readable, or for a while; handle all that is.

        Returns:
            The descriptors that were readable.
        """
        ready = {descriptor for descriptor, _ in self._poll.poll(timeout_ms)}
        for descriptor, handle in list(self._handlers.items()):
            if descriptor in ready:
                handle()
        return ready
