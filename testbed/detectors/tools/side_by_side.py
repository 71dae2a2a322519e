"""Targets beside the controls that they are compared with: their speeds, their ways, what each lost. No judgement.

What happens to the path for some seconds happens to whoever is measured then. So what tells the two apart has to be
there in nearly every pair of a target and a control, not only in the sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import binomtest

from testbed.detectors.observation import CLOCK_S
from testbed.detectors.tools.evidence import QUEUE_S, Counted, Evidence, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from testbed.detectors.observation import Transfer

__all__ = ["EXCESS", "NO_DELAYS", "SideBySide", "least", "of_one_server", "total"]

NO_DELAYS: Final = {View.RECEIVER, View.NOWHERE}
TWICE: Final = 2
EXCESS: Final = (
    2.0  # times the control's share: with thousands of packets, a share a little higher is certain and no limit
)
IN_EACH: Final = 0.9  # of all pairs of a target and a control, in which the target has more
NO_LOSS: Final = 0.002  # a packet or two: the end of slow start
SAME_WAY: Final = 0.2  # relative difference of the least TCP handshakes on a way as long …
SAME_WAY_S: Final = 0.01  # … or so much, which is a queue of some packets


@dataclass(frozen=True)
class SideBySide:
    """Some targets, and controls for each of them.

    Attributes:
        pairs: Each target with its controls.
    """

    pairs: tuple[tuple[Evidence, tuple[Evidence, ...]], ...]

    @property
    def targets(self) -> list[Evidence]:
        """What is judged."""
        return [target for target, _ in self.pairs]

    @property
    def controls(self) -> list[Evidence]:
        """What it is compared with, each once."""
        return list({each.transfer.id: each for _, own in self.pairs for each in own}.values())

    @property
    def contrast(self) -> float:
        """How many times longer a target took than the control nearest in time, for the same bytes; the median."""
        return median(_contrast(target.transfer, _nearest(target, own).transfer) for target, own in self.pairs)

    @property
    def slower(self) -> str:
        """The contrast in words."""
        return f"{self.contrast:.1f} times the control's time"

    @property
    def sees_delays(self) -> bool:
        """Whether all were captured where delays show."""
        return not any(each.view in NO_DELAYS for each in (*self.targets, *self.controls))

    @property
    def is_same_way(self) -> bool:
        """Whether the way to the server was as long for both before any name was said."""
        mine, theirs = (least(each.way_s for each in side) for side in (self.targets, self.controls))
        return mine is None or theirs is None or abs(mine - theirs) <= max(SAME_WAY_S, SAME_WAY * min(mine, theirs))

    @property
    def farther(self) -> float:
        """How many times as far the target's server is."""
        mine, theirs = (least(each.way_s for each in side) for side in (self.targets, self.controls))
        return mine / theirs if mine and theirs else 1.0

    @property
    def is_unhindered(self) -> bool:
        """Whether the targets lost and waited no more than their controls did, where that can be seen."""
        if not self.sees_delays:
            return False
        lost, waited = (
            [max(map(value, side), default=0.0) for side in (self.targets, self.controls)]
            for value in (_lost_share, _queue_s)
        )
        return lost[0] <= max(EXCESS * lost[1], NO_LOSS) and waited[0] <= max(EXCESS * waited[1], QUEUE_S)

    @property
    def later_s(self) -> float | None:
        """By how much all targets were served later than any control after the name was said; None where nothing tells.

        It is told by the fastest packets where both have delays of one kind, and else by the TLS handshake.
        """
        sides = (self.targets, self.controls)
        if len({each.view for each in (*self.targets, *self.controls)}) == 1:
            mine, theirs = ([each.least_delay_s for each in side if each.least_delay_s is not None] for side in sides)
            if mine and theirs:
                return min(mine) - max(theirs)
        mine, theirs = ([each.answered_s for each in side if each.answered_s is not None] for side in sides)
        # A lost packet of a handshake costs a second, too: one of each alone tells nothing.
        return min(mine) - max(theirs) if min(len(mine), len(theirs)) >= TWICE else None

    def exceeds(self, count: Callable[[Evidence], Counted], chance: float) -> bool:
        """Return whether targets have more events than controls: by far, by more than chance, and nearly all of them.

        The exact conditional test of two rates (Przyborowski and Wilenski, Biometrika 31, 1940): if the two do not
        differ, as many of all events fall on the targets' packets as these are of all packets.

        Args:
            count: What is counted.
            chance: That it is an accident, at most.
        """
        mine, theirs = ([count(each) for each in side] for side in (self.targets, self.controls))
        ours, others = total(mine), total(theirs)
        if not ours.events or not others.packets or ours.share < EXCESS * others.share:
            return False
        above = [one.share > other.share for one in mine for other in theirs if one.packets and other.packets]
        if sum(above) < IN_EACH * len(above):
            return False
        share = ours.packets / (ours.packets + others.packets)
        found = binomtest(ours.events, ours.events + others.events, share, alternative="greater")
        return bool(found.pvalue < chance)


def of_one_server(target: Evidence, controls: Sequence[Evidence]) -> list[Evidence]:
    """Return the controls that came from the target's server."""
    # Where no address is known, the measurer is taken at their word that the two are comparable.
    return [each for each in controls if None in {each.server, target.server} or each.server == target.server]


def total(counts: Iterable[Counted]) -> Counted:
    """Return all events among all packets."""
    return sum(counts, Counted(0, 0))


def least(values: Iterable[float | None]) -> float | None:
    """Return the least of those that are known."""
    return min((value for value in values if value is not None), default=None)


def _lost_share(evidence: Evidence) -> float:
    return evidence.lost_share


def _queue_s(evidence: Evidence) -> float:
    return evidence.queue_s


def _nearest(target: Evidence, controls: Sequence[Evidence]) -> Evidence:
    return min(controls, key=lambda each: abs(each.transfer.started_s - target.transfer.started_s))


def _contrast(target: Transfer, control: Transfer) -> float:
    """Return how many times longer the target took for the bytes that both moved."""
    size = min(target.total_bytes, control.total_bytes)
    times = [float(item.times_s[np.flatnonzero(item.bytes >= size)[0]]) for item in (target, control)]
    return times[0] / times[1] if min(times) >= CLOCK_S else 1.0
