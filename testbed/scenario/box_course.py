"""What a box follows in the course of a run: what events make it follow, and where it is meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from testbed.guest.timed_event import LONGEST_RUN_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.guest.timed_event import BoxSpan
    from testbed.records.box_plan import ProfileChangePlan, ProfileDocument

__all__ = ["Course", "course"]

_EMPTY = "no box stands here then"


class Course(NamedTuple):
    """The profile at first, and its changes in the order of time."""

    profile: ProfileDocument | None
    changes: list[ProfileChangePlan]


def course(
    profile: ProfileDocument | None,
    changes: Sequence[ProfileChangePlan],
    spans: Sequence[BoxSpan],
    *,
    is_spare: bool = False,
) -> Course:
    """Return what the box at one place follows.

    Where it is not there it is a cable, and has forgotten its flows when it is back. What events let it follow goes on
    meanwhile.

    Args:
        profile: That the box follows at first.
        changes: By events, in the order of time.
        spans: When it is not at this place, or is at a spare one.
        is_spare: The place is a spare one: no box is there but for the spans that say so.
    """
    ends = {end for span in spans for end in (span.from_s, span.until_s) if 0 < end < LONGEST_RUN_S}
    instants = ends | {each["at_s"] for each in changes}
    absent = _why_absent(0.0, spans, is_spare=is_spare)
    found: list[ProfileChangePlan] = []
    first = None if absent else profile
    for at_s in sorted(instants):
        before, absent = absent, _why_absent(at_s, spans, is_spare=is_spare)
        so_far = [each for each in changes if each["at_s"] <= at_s]
        present: ProfileChangePlan = so_far[-1] if so_far else {"at_s": at_s, "profile": profile, "forgets": False}
        if absent:
            # Two spans that meet are one absence.
            in_force = found[-1]["profile"] if found else first
            if in_force is not None:
                found.append({"at_s": at_s, "profile": None, "forgets": True, "away": absent})
        elif before and present["profile"] is not None:
            found.append({**present, "at_s": at_s, "forgets": True})
        elif not before and present["at_s"] == at_s and so_far:
            found.append(present)
    return Course(first, found)


def _why_absent(at_s: float, spans: Sequence[BoxSpan], *, is_spare: bool) -> str | None:
    """Return why no box is at the place at an instant; None: one is."""
    # The end of a span is no part of it, so that one may begin where another ends.
    now = [span for span in spans if span.from_s <= at_s < span.until_s]
    away = next((span.why for span in now if not span.is_there), None)
    if away is not None:
        return away
    return _EMPTY if is_spare and not any(span.is_there for span in now) else None
