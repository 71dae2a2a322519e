"""What an engine is, and the engines that there are.

An engine is a way to run a guest: what it asks of the machine, how a guest is started, and what its clock is worth. All
that differs between engines is said here as facts, and the guest is told facts as well (`Clock` in its plan), so no
other module knows an engine by its name. A new engine takes a module that makes one and a line in `ENGINES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from testbed.engine.native import engine as native
from testbed.engine.uml import engines as uml

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo
    from testbed.engine.uml.spool import Spool
    from testbed.records.messages import HostMessage, Message
    from testbed.records.plan import Clock

__all__ = ["DEFAULT_ENGINE", "ENGINES", "Engine", "GuestSetup", "Operator", "RunningGuest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSetup:
    """What a guest is started with.

    Attributes:
        kernel: What it runs on.
        spool: Its folder, filled: the plan, the code, and room for what it records.
        log: Where what it prints is kept; outside its folder, since it may not change what it has printed.
        memory_mib: How much memory it has.
        start_ns: The instant that is t = 0, nanoseconds since 1970.
        settle_s: How long before that its work begins.
        seed: Of the kernel's random numbers.
        silence_s: It is ended when it says nothing for so long (seconds of the host's clock).
        operator: Gives orders while the guest runs; None: nobody does.
    """

    kernel: KernelInfo
    spool: Spool
    log: Path
    memory_mib: int
    start_ns: int
    settle_s: float
    seed: int
    silence_s: float
    operator: Operator | None = None


class Operator(Protocol):
    """Who sits before a running guest: what they do becomes orders to it."""

    @property
    def has_terminal(self) -> bool:
        """Whether programs print onto a terminal of theirs."""

    def sources(self) -> Sequence[int]:
        """Return the descriptors to be watched now."""

    def orders(self, ready: Collection[int]) -> Iterable[HostMessage]:
        """Return what the guest is to be told; asked many times a second.

        Args:
            ready: Those of the descriptors that are readable.

        Raises:
            KeyboardInterrupt: The run is to end at once.
        """


class RunningGuest(Protocol):
    """A guest that has been started: a context manager that leaves nothing of it behind."""

    def __enter__(self) -> Self:
        """Enter."""

    def __exit__(self, *error: object) -> None:
        """End the guest, if it has not ended by itself."""

    def messages(self) -> Iterator[Message]:
        """Return what its agent says, until it has finished or failed.

        Raises:
            GuestError: The guest crashed, or said nothing for too long.
        """

    def stop(self) -> None:
        """Ask its agent to end the run in good order."""


class Engine(Protocol):
    """A way to run a guest."""

    @property
    def name(self) -> str:
        """What ``--engine`` and the manifest call it."""

    @property
    def summary(self) -> str:
        """What it is for, in a few words, for ``testbed run --help``."""

    @property
    def clock(self) -> Clock:
        """What the guest has to know of its clock."""

    @property
    def late_s(self) -> float:
        """How much later than its log says a packet may leave a box, before the run is worthless."""

    @property
    def has_terminal(self) -> bool:
        """Whether somebody can sit before a command: time has to pass while they think."""

    @property
    def why_unequal(self) -> str | None:
        """Why two runs with one seed differ all the same; None: they are equal, byte for byte."""

    def prepare(self, say: Callable[[str], None]) -> KernelInfo:
        """Make what a guest runs on, where it is not there yet.

        Args:
            say: Told what takes its time.

        Raises:
            MissingError: It cannot be made here; the message says what is missing.
        """

    def require(self, kernel: KernelInfo, memory_mib: int) -> None:
        """Check that this machine can run a guest.

        Raises:
            MissingError: It cannot; the message says what is missing and how to get it.
        """

    def start(self, setup: GuestSetup) -> AbstractContextManager[RunningGuest]:
        """Start a guest.

        Raises:
            MissingError: A guest cannot be started from where the testbed is installed.
        """


ENGINES: dict[str, Engine] = {
    each.name: each
    for each in (
        uml.VIRTUAL,
        uml.REALTIME,
        native.NATIVE,
    )
}
"""By name. The first one is used where nobody chooses."""

DEFAULT_ENGINE = next(iter(ENGINES))
