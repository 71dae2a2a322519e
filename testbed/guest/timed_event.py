"""What a timed event is: something that changes at set instants of a run, such as a link that fails.

A kind of timed event is one module in `testbed.guest.events`, called as scenarios call the kind, with one class in it:
a frozen dataclass on `TimedEvent`. Its fields are the keys that scenarios give; their annotations say how people write
the values (`testbed.quantities`). The host reads them with pydantic, and the guest gets plain values. A field whose key
is a word of Python's has an underscore behind it: ``from_`` is the key ``from``.

Nothing else knows the kinds one by one: the class says what a scenario may not ask for (`check`), what happens when
(`changes`), and what readers of the run have to know (`note`, `cuts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

from testbed.errors import ScenarioError
from testbed.quantities import Written, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.jsonl import Json

__all__ = [
    "LONGEST_RUN_S",
    "BoxChange",
    "BoxSpan",
    "Change",
    "Effects",
    "EventError",
    "RunSpan",
    "RunTime",
    "TimedEvent",
    "because",
    "parse_run_time",
]

LONGEST_RUN_S = (
    1000 * 86_400
)  # nanoseconds of a run are kept as seconds in a float, which is a tenth of 1 µs exact then


def parse_run_time(text: object) -> float:
    """Return an instant of the run, or a span of it, in seconds. Raises ValueError with what was expected."""
    seconds = parse_duration(text)
    if seconds > LONGEST_RUN_S:
        raise ValueError(f"expected at most {LONGEST_RUN_S // 86_400} d, got {text!r}")
    return seconds


RunTime = Annotated[
    float,
    Written(
        parse_run_time,
        {"type": ["string", "integer"], "description": "a duration with its unit, such as 95 ms; or 0"},
    ),
]
"""Seconds since the start of the run, written with a unit."""


class EventError(ScenarioError):
    """A scenario cannot have an event as it is written.

    Attributes:
        key: The key that is wrong, as scenarios call it.
        problem: What is wrong with it.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class Effects(Protocol):
    """What an event can do in the guest."""

    def alter_link(self, ends: tuple[str, str], by: TimedEvent, **options: float | str) -> None:
        """Give a link other options than planned, both ways, until `restore_link`.

        Where several events alter one option of a link, the one that began last decides; once it has ended, those
        before it do again.

        Args:
            ends: The link's two nodes.
            by: The event that does it.
            options: Of netem, as Mininet calls them and in its units: ``delay`` and ``jitter`` with a unit, ``loss`` in
                percent, ``max_queue_size`` in packets.

        Raises:
            CertificateError: An end of the link has no netem discipline to change.
        """

    def set_rate(self, near: str, far: str, rate_bps: int) -> None:
        """Give a link another rate, in the direction from one of its nodes to the other."""

    def restore_link(self, ends: tuple[str, str], by: TimedEvent) -> None:
        """Take back what an event did to a link; what other events did to it stays."""

    def record(self, event: str, **fields: Json) -> None:
        """Write a line into the ground truth, with the time of now."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happens at one instant.

    Attributes:
        at_s: When, seconds since the start of the run.
        carry_out: Does it.
        is_end: It ends something. Of the changes of one instant, ends come last: where one outage ends as another of
            the same link begins, the link stays out between them.
    """

    at_s: float
    carry_out: Callable[[Effects], None]
    is_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxChange:
    """A box follows another profile from an instant on.

    Attributes:
        box: Its node.
        at_s: When, seconds since the start of the run.
        censor: A profile by name or path, or a family; None: the box is a cable.
        share: Of the flows, on which the box acts; None: as the profile says.
        forgets: Flows that are acted on already are forgotten, too.
    """

    box: str
    at_s: float
    censor: str | None
    share: float | None = None
    forgets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSpan:
    """A while in which a box is not where it stands, or is at a spare place.

    Attributes:
        box: Its node.
        from_s: When it begins, seconds since the start of the run.
        until_s: When it ends.
        why: In words, of the box.
        is_there: It is at this place, a spare one; else it is not, and its node is a cable.
    """

    box: str
    from_s: float
    until_s: float
    why: str
    is_there: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpan:
    """What an event may know of the run: when it begins, when something last begins in it, and its seed."""

    start_ns: int
    last_s: float
    seed: int


def because(about: str) -> str:
    """Return why an event happened, to be put behind a note of it; nothing where nobody said it."""
    return f": {about}" if about else ""


def _key(field: str) -> str:
    return field.removesuffix("_")


class TimedEvent:
    """What kinds of timed events have in common. Only `changes` has to be said by each."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Mapping[str, object]] = {"extra": "forbid", "alias_generator": _key}

    def check(self, topology: RoutedTopo) -> None:
        """Refuse what cannot happen in a topology.

        Raises:
            EventError: It cannot; with the key.
        """

    def changes(self) -> Iterable[Change]:
        """Return what happens, and when."""
        raise NotImplementedError

    def box_changes(self, topology: RoutedTopo) -> Iterable[BoxChange]:
        """Return which boxes follow another profile, and when. The host asks, and puts it into the boxes' own plans."""
        del topology
        return ()

    def box_spans(self, topology: RoutedTopo, run: RunSpan) -> Iterable[BoxSpan]:
        """Return when which boxes are not where they stand, or somewhere else. Asked and used as `box_changes`."""
        del topology, run
        return ()

    def acts_on_boxes(self) -> bool:
        """Whether it is about boxes alone: a run without boxes is one without it."""
        return False

    def drawn(self, topology: RoutedTopo, run: RunSpan) -> tuple[str, str] | None:
        """Return what was to be drawn from the seed for it, and what was, in words; None: nothing."""
        del topology, run
        return None

    def begins_s(self, topology: RoutedTopo) -> float:
        """Return when the first thing happens, in the guest or in a box; a run that ends before knows nothing of it."""
        instants = [change.at_s for change in self.changes()]
        return min([*instants, *(change.at_s for change in self.box_changes(topology))])

    def note(self) -> str | None:
        """Return what a reader of the run's results has to know of it; None: nothing."""
        return None

    def contradicts(self, other: TimedEvent) -> str | None:
        """Return why this event and another cannot both be meant; None: they can."""
        del other
        return None

    def cuts(self, link: frozenset[str], begins_s: float, ends_s: float) -> bool:
        """Return whether it explains that nothing passed a link in some part of a span of time."""
        del link, begins_s, ends_s
        return False
