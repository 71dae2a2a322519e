"""Background traffic: flows between two hosts that nobody measures, and that others have to share the network with.

One process holds both ends of an entry, so a flow knows without asking what has arrived. Here is what flows have in
common; stream_flow.py and datagram_flow.py have the kinds. Nothing here decides when an entry goes on
(`testbed.guest.background`).
"""

from __future__ import annotations

import select
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from testbed.middlebox.adapters.alarm import Alarm

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from testbed.traffic.log import TransferLog

__all__ = ["Arrivals", "Ends", "Flow", "Loop"]

_SAMPLE_S = 0.1


class Loop:
    """Descriptors with their handlers, and one timer to the nanosecond."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._alarm = Alarm()
        self._poll.register(self._alarm, select.POLLIN)
        self._has_gone_off = False

    def watch(self, descriptor: int, events: int, handle: Callable[[], None]) -> None:
        """Call ``handle`` when something happens at a descriptor; a second call takes the place of the first."""
        self._poll.register(descriptor, events)
        self._handlers[descriptor] = handle

    def forget(self, descriptor: int) -> None:
        """Watch it no longer."""
        if self._handlers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def wait(self, due_ns: int | None) -> None:
        """Wait until an instant since 1970, or until something has happened and was handled."""
        self._alarm.set(due_ns, has_gone_off=self._has_gone_off)
        ready = [descriptor for descriptor, _ in self._poll.poll()]
        self._has_gone_off = self._alarm.fileno() in ready
        for descriptor in sorted(ready):
            if descriptor in self._handlers:  # the handler of one before it may have closed it
                self._handlers[descriptor]()


class Ends(Protocol):
    """The two hosts of an entry."""

    def open(self, kind: socket.SocketKind, *, at_opener: bool) -> socket.socket:
        """Return a new non-blocking socket at one of them."""

    def address(self, *, of_opener: bool) -> str:
        """Return the address of one of them."""


class Flow(Protocol):
    """One flow, from its first packet to its last."""

    def due_ns(self) -> int | None:
        """Return when `act` is due, nanoseconds since 1970; None: not before something happens."""

    def act(self) -> None:
        """Do what is due."""

    def stop(self) -> None:
        """Send no more."""

    def finish(self) -> None:
        """Be over, whatever is still under way. Does nothing to a flow that is over."""

    @property
    def is_over(self) -> bool:
        """Whether it is."""


@dataclass(slots=True)
class Arrivals:
    """What has arrived, written down every tenth of a second: packets are in the captures."""

    log: TransferLog
    total: int = 0
    _at: float = 0.0
    _written: int = 0
    _next: float = 0.0

    def add(self, count: int) -> None:
        """Count bytes that have arrived now."""
        self.total += count
        self._at = self.log.now()
        if self._at >= self._next:
            self._next = self._at + _SAMPLE_S
            self._write()

    def close(self) -> None:
        """Write down what has not been."""
        if self.total > self._written:
            self._write()
        self.log.flush()

    def _write(self) -> None:
        self._written = self.total
        self.log.received(self._at, self.total)
