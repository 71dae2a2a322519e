"""What a plan does by the clock, and whether a run in real time that began late has missed any of it.

Not for: doing it (schedule.py, boxes.py, phases.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.errors import GuestError
from testbed.guest.events import planned_event
from testbed.records.plan import planned_transfers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.plan import PlanDocument

__all__ = ["require_nothing_missed", "times"]


def times(plan: PlanDocument) -> Iterator[float]:
    """Yield the times of all that is planned for one, seconds from t = 0; links that follow traces do so always."""
    for event in plan["events"]:
        yield from (change.at_s for change in planned_event(event).changes())
    for box in plan["boxes"].values():
        yield from (change["at_s"] for change in box.get("changes", []))
    yield from (transfer["at_s"] for transfer in planned_transfers(plan))


def require_nothing_missed(plan: PlanDocument, late_s: float) -> None:
    """Check that nothing was planned for the time that passed before a run began; what is there from the start may be.

    Raises:
        GuestError: Something was: other measurements would have met it than those that were to.
    """
    missed = [at_s for at_s in times(plan) if 0 < at_s <= late_s]
    if missed:
        raise GuestError(
            f"the guest was ready {late_s:.1f} s after t = 0, and what the scenario does at {min(missed):g} s was past "
            "by then; leave the machine a free processor, or use the virtual engine"
        )
