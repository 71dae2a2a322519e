"""One published fact about a real box, and what ours does in the same situation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["FREE", "THROTTLED", "Check", "Finding", "Row"]

THROTTLED = "throttled"
FREE = "not throttled"

Check = Callable[["Profile"], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row, and what our box did."""

    row: Row
    ours: str

    @property
    def agrees(self) -> bool:
        """Whether that is what was published."""
        return self.ours == self.row.published


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fact.

    Attributes:
        section: of the source's facts as listed in the documentation, such as "2.5".
        name: the situation, in a few words; unique within its section.
        published: what the real box did, in the words that ``check`` answers with.
        source: paper and section.
        grade: of the evidence, one of `evidence.GRADES`.
        profile: the profile whose box the fact is about.
        check: puts our box into the situation.
    """

    section: str
    name: str
    published: str
    source: str
    grade: str
    profile: str
    check: Check

    def find(self, load: Callable[[str], Profile]) -> Finding:
        """Try it with our box; ``load`` gives the profile of a name."""
        return Finding(row=self, ours=self.check(load(self.profile)))
