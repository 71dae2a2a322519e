"""Links whose rate follows a trace: each step is a change of the link's HTB class at its instant.

The kernel keeps what is owed in bytes from step to step (htbrate.patch), so a saturated link carries what its trace
says. A trace begins at t = 0 and begins again whenever it has ended, for as long as the run lasts.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from testbed.guest.timed_event import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.guest.timed_event import Effects
    from testbed.records.link_plan import LinkPlan, TracePlan

__all__ = ["steps", "trace_changes"]


def steps(trace: TracePlan) -> Iterator[tuple[float, int]]:
    """Yield instants, seconds since the start of the run, and rates in bit/s from then on, without an end.

    A step at the rate of the one before it is none.
    """
    last_bps = None
    for turn in count():
        for time_s, rate_bps in zip(trace["times_s"], trace["rates_bps"], strict=True):
            if rate_bps != last_bps:
                yield turn * trace["period_s"] + time_s, rate_bps
            last_bps = rate_bps


def trace_changes(link: LinkPlan) -> Iterator[Change]:
    """Yield what happens to a link whose rate follows a trace; nothing for another."""
    if "trace" in link:
        for at_s, rate_bps in steps(link["trace"]):
            yield Change(at_s, _Step(link, rate_bps))


class _Step:
    """A new rate of a link, in the directions that are meant."""

    __slots__ = ("_link", "_rate_bps")

    def __init__(self, link: LinkPlan, rate_bps: int) -> None:
        self._link = link
        self._rate_bps = rate_bps

    def __call__(self, effects: Effects) -> None:
        first, second = self._link["between"]
        for near, far in ((first, second), (second, first)):
            if self._link.get("toward") in {None, far}:
                effects.set_rate(near, far, self._rate_bps)
