"""What all meters have in common: how a profile describes one, and what it is asked for each packet.

Integer nanoseconds and bytes throughout, so that the kernel, this model and a replay from a capture agree on every
packet. Times must not run backwards. Not for: deciding which packets are metered.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Protocol

from testbed.middlebox.described import Described
from testbed.middlebox.written import Bytes, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from testbed.middlebox.described import Problem
    from testbed.middlebox.meters.token_bucket import TokenBucketSpec
    from testbed.middlebox.profile.metering import MeterChoice
    from testbed.records.truth import Effect

__all__ = ["AmountSpec", "Beginning", "Meter", "MeterSpec", "Policer", "WindowSpec"]

_BITS = 8


class Beginning(NamedTuple):
    """When something begins to be done to a flow, and where it draws lots.

    Attributes:
        opened_ns: When the flow was opened.
        matched_ns: When a rule matched it.
        random: The box's generator. Each draw moves it on, so what has no use for chance must not ask.
        packets: How many packets of the flow the box had seen by then, both directions, with the one that matched.
    """

    opened_ns: int
    matched_ns: int
    random: Random
    packets: int = 1


class Meter(Protocol):
    """One direction of one flow, of one subscriber, or of one line."""

    def departure_ns(self, length: int, now_ns: int) -> int | None:
        """When a packet of ``length`` bytes that arrives now leaves: now, later, or never (None: it is dropped)."""
        ...


class Policer:
    """A meter that lets a packet pass at once or not at all."""

    __slots__ = ()

    def conforms(self, length: int, now_ns: int) -> bool:
        """Return whether a packet of ``length`` bytes may pass now; it is charged only if so."""
        raise NotImplementedError

    def departure_ns(self, length: int, now_ns: int) -> int | None:
        """Now, or never."""
        return now_ns if self.conforms(length, now_ns) else None


class MeterSpec(Described):
    """A meter as a profile describes it: the base of one class a module, each a frozen dataclass.

    Attributes:
        kind: Its name in profiles; the module is called so too.
        limits: What is limited. A rate and an amount exclude each other in one profile.
        delays: Whether packets wait their turn.
        is_shared: Whether both directions have one meter together, and not one each.
        effect: What it means for a flow. Labels are made of it.
    """

    __slots__ = ()
    kind: ClassVar[str]
    limits: ClassVar[Literal["rate", "amount", "share"]]
    delays: ClassVar[bool] = False
    is_shared: ClassVar[bool] = False

    @property
    def effect(self) -> Effect:
        """What it means for a flow."""
        return "slows"

    @property
    def long_run_bps(self) -> float | None:
        """What passes in the long run of a sender that never stops, bits per second; None: it limits no rate."""
        return None

    def start(self, beginning: Beginning) -> Meter:
        """Return a meter as it is when it begins."""
        raise NotImplementedError

    # Into the log, where a reader must see what was used and not what might have been.
    def parameters(self) -> dict[str, float]:
        """Return the parameters by name. Those that were not given are left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def kernel_policer(self) -> TokenBucketSpec | None:
        """Return the token bucket that ``tc police`` can be in its place; None: the box has to meter itself."""
        return None

    def problems(self, choice: MeterChoice) -> Iterator[Problem]:
        """What cannot be honoured of it, beside the others of its profile. Keys count from the section ``meter``."""
        del choice
        yield from ()


class AmountSpec(MeterSpec):
    """Base of meters that let an amount pass and then nothing."""

    __slots__ = ()
    limits = "amount"

    @property
    def effect(self) -> Effect:
        """Once it is used up nothing passes: that ends a flow, and slows none."""
        return "ends"

    def problems(self, choice: MeterChoice) -> Iterator[Problem]:
        """Refuse a rate beside it: which of the two was meant would be anybody's guess."""
        if any(each.limits == "rate" for each in choice.described.values()):
            yield self.kind, "a quota and a rate exclude each other; describe one of them"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec(MeterSpec):
    """Base of meters that let so much pass in a window of time; when a window begins is for each to say."""

    limits = "rate"

    limit_bytes: Bytes
    window_s: Seconds

    @property
    def long_run_bps(self) -> float:
        """The limit a window."""
        return self.limit_bytes * _BITS / self.window_s
