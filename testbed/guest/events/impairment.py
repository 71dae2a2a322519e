"""An impairment: a link is slower or loses packets for a while, as one that is overloaded or badly received.

What it names takes the place of what is planned for the link, both ways, and what it does not name stays. Two that
overlap may name different properties of one link, or agree.
"""

# No postponed annotations: the host reads those of the fields, and the names in them have to be there.

from collections.abc import Iterable
from dataclasses import dataclass

from testbed.guest.network.topology import RoutedTopo
from testbed.guest.timed_event import Change, Effects, EventError, RunTime, TimedEvent, because
from testbed.quantities import Duration, Rate, Share

__all__ = ["Impairment"]

_PERCENT = 100
LEAST_BPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment(TimedEvent):
    """A link that is impaired for a while.

    Attributes:
        link: Its two nodes, in any order.
        from_: When it begins, seconds since the start of the run.
        until: When it ends.
        delay: One-way delay meanwhile, seconds.
        jitter: Spread of the delay meanwhile, seconds.
        loss: Share of packets that are lost meanwhile, each by itself.
        rate: Of the link meanwhile, bit/s, each way; it must have one otherwise, too.
        about: Why, in words.
    """

    link: tuple[str, str]
    from_: RunTime
    until: RunTime
    about: str = ""
    delay: Duration | None = None
    jitter: Duration | None = None
    loss: Share | None = None
    rate: Rate | None = None

    def __post_init__(self) -> None:
        if self.until <= self.from_:
            raise ValueError(f"expected 'until' after 'from', got {self.from_} s to {self.until} s")
        if not self.options():
            raise ValueError("expected at least one of 'delay', 'jitter', 'loss' and 'rate'")

    def check(self, topology: RoutedTopo) -> None:
        """Refuse a link that is not there, and one of a box, whose ports have no discipline to change."""
        if frozenset(self.link) not in {frozenset(pair) for pair in topology.iterLinks()}:
            named = " and ".join(self.link)
            raise EventError("link", f"no link between {named} (there: {topology.links_in_words()})")
        boxes = [end for end in self.link if topology.role(end) == "box"]
        if boxes:
            raise EventError("link", f"{boxes[0]} is a middlebox; choose another link to impair")
        if self.rate is not None:
            self._check_rate(topology)

    def _check_rate(self, topology: RoutedTopo) -> None:
        """Refuse a rate for a link that has none to be changed, or whose rate follows a trace."""
        if self.rate is not None and self.rate < LEAST_BPS:
            raise EventError("rate", f"expected {LEAST_BPS} bit/s or more; fail the link with an outage instead")
        for first, second, info in topology.iterLinks(withInfo=True):
            if {first, second} != set(self.link):
                continue
            sides = [info["params1"], info["params2"]]
            if not all(side.get("bw") for side in sides):
                raise EventError("rate", "the link has no rate each way to be changed; say one under 'links'")
            if any(side.get("impairment") and side["impairment"].is_traced for side in sides):
                raise EventError("rate", "the link's rate follows a trace; remove one of the two")

    def changes(self) -> Iterable[Change]:
        """Yield its beginning and its end."""
        yield Change(self.from_, self._begin)
        yield Change(self.until, self._end, is_end=True)

    def options(self) -> dict[str, float | str]:
        """Return what it does, as Mininet calls it."""
        options: dict[str, float | str] = {}
        for name, value in (("delay", self.delay), ("jitter", self.jitter)):
            if value is not None:
                options[name] = f"{value * 1000:.6f}ms"
        if self.loss is not None:
            options["loss"] = self.loss * _PERCENT
        if self.rate is not None:
            options["bw"] = self.rate / 1e6
        return options

    def _begin(self, effects: Effects) -> None:
        effects.alter_link(self.link, self, **self.options())
        effects.record("link_impaired", link=list(self.link), about=self.about)

    def _end(self, effects: Effects) -> None:
        effects.restore_link(self.link, self)
        effects.record("link_restored", link=list(self.link), about=self.about)

    def contradicts(self, other: TimedEvent) -> str | None:
        """Two that overlap on one link must not give one property two values."""
        if not isinstance(other, Impairment) or set(self.link) != set(other.link):
            return None
        if self.until <= other.from_ or other.until <= self.from_:
            return None
        theirs = other.options()
        for name, value in self.options().items():
            if theirs.get(name, value) != value:
                first, second = self.link
                return (
                    f"two impairments give the link between {first} and {second} another {name} from "
                    f"{max(self.from_, other.from_):g} s on; let one end before the other begins, or remove one"
                )
        return None

    def note(self) -> str:
        """Return what a reader has to know: what was measured meanwhile was measured over another link."""
        first, second = self.link
        what = ", ".join(
            f"{name} {value:g}{unit}"
            for name, value, unit in (
                ("delay", None if self.delay is None else self.delay * 1000, " ms"),
                ("jitter", None if self.jitter is None else self.jitter * 1000, " ms"),
                ("loss", None if self.loss is None else self.loss * 100, " %"),
                ("rate", None if self.rate is None else self.rate / 1000, " kbit/s"),
            )
            if value is not None
        )
        span = f"from {self.from_:g} s to {self.until:g} s"
        return f"the link between {first} and {second} was impaired {span} ({what}){because(self.about)}"
