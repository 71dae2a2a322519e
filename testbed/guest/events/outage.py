"""The outages of a plan as changes in the order of time: a link is out while at least one of its outages lasts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

__all__ = ["LinkChange", "Outages"]


@dataclass(frozen=True, slots=True)
class LinkChange:
    """An outage begins or ends.

    Attributes:
        event: ``link_failed`` or ``link_restored``, as the ground truth calls it.
        link: the two nodes.
        about: why, in the scenario's words.
        is_out: whether the link is out from now on: another outage of it may go on.
    """

    event: str
    link: tuple[str, str]
    about: str
    is_out: bool


class Outages:
    """What is still to come.

    Args:
        planned: outages with ``from_s, until_s, link, about``, in any order; they may overlap.
    """

    def __init__(self, planned: list[dict[str, Any]]) -> None:
        changes = [(each["from_s"], 1, each) for each in planned] + [(each["until_s"], -1, each) for each in planned]
        # Where one outage ends as another begins, the beginning comes first, and the link stays out between them.
        self._changes = sorted(changes, key=lambda change: (change[0], -change[1]))
        self._running: Counter[frozenset[str]] = Counter()

    def running(self) -> set[frozenset[str]]:
        """The links that are out, each as its two ends."""
        return {ends for ends, count in self._running.items() if count}

    def next_s(self) -> float | None:
        """When the next change is due, seconds from the start of the run; None: none is left."""
        return self._changes[0][0] if self._changes else None

    def next_change(self) -> LinkChange:
        """Take the next change. Raises IndexError if none is left."""
        _, step, outage = self._changes.pop(0)
        first, second = outage["link"]
        ends = frozenset({first, second})
        self._running[ends] += step
        event = "link_failed" if step > 0 else "link_restored"
        return LinkChange(event, (first, second), outage["about"], is_out=self._running[ends] > 0)
