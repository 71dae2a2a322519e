"""One published fact about a real box, and what ours does in the same situation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["AGREES", "ASSUMED", "AS_CONFIGURED", "DIFFERS", "FREE", "THROTTLED", "Check", "Finding", "Measured", "Row"]

THROTTLED = "throttled"
FREE = "not throttled"

AGREES = "agrees"
ASSUMED = "assumed"
AS_CONFIGURED = "as configured"
DIFFERS = "differs"


class Measured(NamedTuple):
    """A quantity, and how it is written: the row says between which bounds it was published."""

    value: float
    text: str


Check = Callable[["Profile"], "str | Measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row, and what our box did."""

    row: Row
    ours: str
    matches: bool

    @property
    def verdict(self) -> str:
        """What the row is worth: only `AGREES` is agreement with something that was published.

        `ASSUMED`: nothing was published; ours is what we chose. `AS_CONFIGURED`: the profile was given this very
        number, so that the box has it says little. `DIFFERS`: ours does otherwise.
        """
        if not self.matches:
            return DIFFERS
        # Before whether it restates: what nobody published cannot have been given.
        if self.row.grade == "assumption":
            return ASSUMED
        return AS_CONFIGURED if self.row.restates else AGREES

    @property
    def is_surprise(self) -> bool:
        """Whether ours does otherwise, and nobody has said why."""
        return self.verdict == DIFFERS and not self.row.known_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fact.

    Attributes:
        topic: What it is about, such as "trigger".
        name: The situation, in a few words; unique within its topic, profile and meter.
        published: What the real box did: the words that ``check`` answers with, or the quantity in words.
        source: Keys of `testbed.middlebox.profile.sources`, and where in them.
        grade: Of the evidence, one of `evidence.GRADES`.
        profile: The profile whose box the fact is about.
        check: Puts our box into the situation.
        within: Of a quantity, the least and the most that was published.
        meter: The meter that the box has, where it matters; empty: that of the profile.
        restates: The key of the profile that was set to what was published; empty if the answer takes more than that.
        known_difference: Why ours is known to do otherwise; empty if it should not.
    """

    topic: str
    name: str
    published: str
    source: str
    grade: str
    profile: str
    check: Check
    within: tuple[float, float] | None = None
    meter: str = ""
    restates: str = ""
    known_difference: str = ""

    def find(self, load: Callable[[str], Profile]) -> Finding:
        """Try it with our box; ``load`` gives the profile of a name."""
        profile = load(self.profile)
        ours = self.check(profile.with_meter(self.meter) if self.meter else profile)
        if isinstance(ours, Measured):
            matches = self.within is not None and self.within[0] <= ours.value <= self.within[1]
            return Finding(row=self, ours=ours.text, matches=matches)
        return Finding(row=self, ours=ours, matches=ours == self.published)
