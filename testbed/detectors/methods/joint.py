"""The testbed's own detector: what limits the target, and is a control on the same way and nearly at once spared?

It assumes, and checks, that the control comes from the target's server (its address) over a path as long (the TCP
handshake, which comes before any name is said). Only then is a difference a matter of the name. Where it is not so, the
target's own server and path may explain every difference but one: losses that fit a token bucket while no queue delays
anything.

What it looks for, in this order, and why each is no accident of the path:

policing          a token bucket explains which packets were lost; the delay of a queue as long is not there; and
                  the control's packets, put through that bucket, would have been lost
losses            data or acknowledgements of the target are lost at more instants than the control's, and no full
                  buffer is the cause (exact conditional test of two rates: Przyborowski and Wilenski, Biometrika 31,
                  1940). Losses within a round trip are one event, since bursts have one cause
delay             every target is answered later than every control once its name is said, and not before
steady limit      targets keep to one rate, the same for all: that at which a queue of theirs empties, or at which they
                  arrive where no queue can be seen; every control is faster and runs ahead of it by far. Other people's
                  traffic gives no two flows one rate

The target is not throttled if it is like the control, if the control is limited alike, if what it loses and waits comes
and goes with a queue, or if nothing passed (blocked) or nothing more after some bytes (frozen): these are no rates.

Thresholds are chosen by `benchmarks/joint_thresholds.py` from development conditions, or stand here with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import Ending
from testbed.detectors.tools.coarse_refill import COARSE_AGREEMENT
from testbed.detectors.tools.evidence import Counted, Evidence
from testbed.detectors.tools.side_by_side import EXCESS, NO_DELAYS, SideBySide, least, of_one_server, total
from testbed.detectors.tools.subjects import comparable, pairs
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from testbed.detectors.observation import Observation, Transfer

__all__ = ["JointDetector", "Thresholds"]

CHANCE: Final = 0.002  # that as many losses more than the control's are an accident: once in 500 lossy, but even pairs
HINT: Final = 0.05  # what is so likely an accident is neither a finding nor the absence of one
INSTANTS: Final = 3  # at which a policer drops, at least: so many slices of loss ask Flach et al. (SIGCOMM 2016) for
LATER_S: Final = 0.05  # no router adds so much to an answer and nothing to the SYN before it
LATER_RTTS: Final = 0.5
TWICE: Final = 2  # what is to be seen again
HALF: Final = 2.0  # where nothing but speeds is seen: Wehe's threshold, the slower one less than half as fast
FASTER: Final = 1.1  # what a plan of the same rate would not be, headers and all
# (90th - 10th percentile) / median of a drain's speeds: with an acknowledgement for two packets, a block of eight is
# uncertain by one at either end, and the drain of a queue that others fill, too, spreads by more than half.
STEADY: Final = 0.35
SAME_DRAIN: Final = 1.1  # between two drains of one limit lies that uncertainty of a block, halved by the median
FIRST_WINDOW: Final = 15_000  # bytes: ten segments (RFC 6928), which every transfer sends at once
PAYLOAD_SHARE: Final = 1448 / 1500  # of the IP packets that a queue holds
SILENCE_S: Final = 5.0
SILENT_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What `benchmarks/joint_thresholds.py` chooses, from development conditions alone.

    Attributes:
        agreement: Least balanced share of packets whose fate a token bucket explains.
        slope: Most of the delays over those of a queue as long as the bucket is short of full: 0 policer, 1 queue.
        ahead: How many times further than the target, at least, a control runs ahead of the target's limit.
        contrast: Time for the same bytes, target over control, from which on the two are not alike.
        same_rate: Most that the speeds of targets with one limit may differ: the highest over the lowest.
    """

    agreement: float = 0.84
    slope: float = 0.159
    ahead: float = 2.0
    contrast: float = 1.83
    same_rate: float = 1.224


@dataclass(frozen=True)
class JointDetector:
    """Compare with a control on the same way, and explain."""

    name: str = "joint"
    summary: str = "contrast with a control, explained by packets (this testbed)"
    version: str = "2"
    thresholds: Thresholds = Thresholds()

    def detect(self, observation: Observation) -> Verdict:
        """Judge the targets that have a control at their server; without one, those that have one elsewhere."""
        return self.judge(observation, {each.id: Evidence(each) for each in observation.transfers})

    def judge(self, observation: Observation, known: Mapping[str, Evidence]) -> Verdict:
        """As `detect`, with what is known of each transfer, by its id: other thresholds need it only once."""
        paired = pairs(observation)
        if not paired:
            return self._open("the detector needs a target and a control of the same direction")
        if all(not control.total_bytes for _, control in paired):
            return self._open("no control moved data: the path itself may be broken")
        stopped = [_stopped(target) for target, _ in paired]
        if all(stopped):
            return self._not(*next(each for each in stopped if each is not None))
        near: list[tuple[Evidence, tuple[Evidence, ...]]] = []
        far: list[tuple[Evidence, tuple[Evidence, ...]]] = []
        for (target, _), why in zip(paired, stopped, strict=True):
            controls = [known[each.id] for each in comparable(target, observation) if each.total_bytes]
            own = of_one_server(known[target.id], controls)
            if why is None:
                (near if own else far).append((known[target.id], tuple(own or controls)))
        if not near:
            return self._judge_far(SideBySide(tuple(far)))
        found = self._judge_near(SideBySide(tuple(near)))
        if found.outcome is Outcome.THROTTLED or not far:
            return found
        return self._policing(SideBySide(tuple(far))) or found

    def _judge_near(self, group: SideBySide) -> Verdict:
        """Judge targets by controls at their own server: on a way as long, all that differs goes by the name."""
        policed = self._policing(group)
        if policed is not None:
            return policed
        if not group.is_same_way and group.contrast >= self.thresholds.contrast:
            why = f"{group.slower}, but the way was longer for one of the two before any name was said"
            return self._open(why)
        for explain in (self._losses, self._delay, self._steady_limit, self._in_doubt):
            verdict = explain(group)
            if verdict is not None:
                return verdict
        return self._not_limited(group)

    def _judge_far(self, group: SideBySide) -> Verdict:
        """Judge targets whose controls come from another server: only a policer can be told from that server's ways."""
        policed = self._policing(group)
        if policed is not None:
            return policed
        if group.contrast < self.thresholds.contrast:
            return self._not(None, f"{group.slower}: alike, or the control is the slower one", group.contrast)
        if group.contrast <= group.farther * self.thresholds.contrast:
            why = f"{group.slower}, and its server is {group.farther:.1f} times as far: TCP grows by the round trip"
            return self._not(Mechanism.APP_LIMITED, why, group.contrast)
        if group.is_unhindered:
            why = (
                f"{group.slower}, but it lost and waited no more than the control: the limit is at the target's server"
            )
            return self._not(Mechanism.APP_LIMITED, why, group.contrast)
        why = f"{group.slower}, but the control comes from another server: the target's own path may be the cause"
        return self._open(why)

    def _policing(self, group: SideBySide) -> Verdict | None:
        for target in group.targets:
            fit = target.fit
            if fit is None or not self._is_policed(target) or all(map(self._is_policed, group.controls)):
                continue
            if median(each.ahead_of(fit.rate_bps) for each in group.controls) < self.thresholds.ahead * fit.depth_bytes:
                continue  # the bucket would have let the control pass as well
            if target.lost_share < EXCESS * median(each.lost_share for each in group.controls):
                continue  # as much is lost where the bucket is not
            filled = f", filled every {fit.period_s:.2f} s," if fit.period_s else ""
            bucket = f"a bucket of {fit.rate_bps / 1e3:.0f} kbit/s, {fit.depth_bytes / 1e3:.0f} kB{filled}"
            why = (
                f"{group.slower}; {bucket} explains {fit.agreement:.0%} of packets; no queue, and the control is spared"
            )
            return self._yes(
                Mechanism.POLICING, why, group, rate_bps=fit.rate_bps, burst=fit.depth_bytes, onset=_onset(target)
            )
        return None

    def _is_policed(self, evidence: Evidence) -> bool:
        fit, slope = evidence.fit, evidence.backlog_slope
        if fit is None or fit.agreement < (COARSE_AGREEMENT if fit.period_s else self.thresholds.agreement):
            return False
        return slope is not None and slope < self.thresholds.slope and evidence.losses.events >= INSTANTS

    def _losses(self, group: SideBySide) -> Verdict | None:
        for what, count in _COUNTS.items():
            if group.exceeds(count, CHANCE):
                mine, theirs = (total(map(count, side)).events for side in (group.targets, group.controls))
                share = median(each.lost_share for each in group.targets)
                lost = f"{what} lost at {mine} instants ({share:.1%} of its data), the control's at {theirs}"
                speed = median(each.transfer.goodput_bps or 0.0 for each in group.targets)
                rate_bps = speed if what == "data" else None
                return self._yes(Mechanism.LOSS, f"{group.slower}; {lost}", group, rate_bps=rate_bps)
        return None

    def _delay(self, group: SideBySide) -> Verdict | None:
        later_s, way_s = group.later_s, least(each.way_s for each in group.controls)
        if later_s is None or way_s is None or group.contrast < self.thresholds.contrast:
            return None
        if later_s < max(LATER_S, LATER_RTTS * way_s):
            return None
        why = f"{group.slower}; what came after the name came {later_s * 1e3:.0f} ms later than the control's"
        return self._yes(Mechanism.SHAPING, f"{why}, on a way as long", group, rate_bps=None)

    def _steady_limit(self, group: SideBySide) -> Verdict | None:
        """Return that the targets keep to one rate, if they do, and the controls are faster."""
        limited = [each for each in group.targets if self._keeps_to_a_rate(each, group.controls)]
        rates = [self._steady_rate(each) or 0.0 for each in limited]
        if not rates or len(rates) < min(TWICE, len(group.targets)):
            return None
        is_seen = not any(each.view in NO_DELAYS for each in limited)
        if not is_seen and len(rates) < TWICE:
            return None  # a speed is no limit before it comes again
        if max(rates) > (SAME_DRAIN if is_seen else self.thresholds.same_rate) * min(rates):
            return None
        how = "a queue of its own empties" if is_seen else "it arrives"
        at = f"{how} at {median(rates) / 1e3:.0f} kbit/s in {len(rates)} of {len(group.targets)} targets"
        why = f"{group.slower}; {at}, and every control is faster"
        return self._yes(Mechanism.SHAPING if is_seen else None, why, group, rate_bps=median(rates))

    def _keeps_to_a_rate(self, target: Evidence, controls: Sequence[Evidence]) -> bool:
        rate_bps = self._steady_rate(target)
        speeds = [each.limit.rate_bps for each in controls if each.limit is not None]
        if rate_bps is None or not speeds:
            return False
        faster = HALF if target.view in NO_DELAYS else FASTER
        ahead = median(each.ahead_of(rate_bps) for each in controls)
        least_ahead = self.thresholds.ahead * max(target.ahead_of(rate_bps), FIRST_WINDOW)
        return min(speeds) >= faster * rate_bps and ahead >= least_ahead

    def _steady_rate(self, target: Evidence) -> float | None:
        """Return the rate at which its queue emptied; where no queue can be seen, that at which it arrived."""
        if target.view in NO_DELAYS:
            return None if target.limit is None else target.limit.rate_bps
        if target.drained is None or target.drained.spread > STEADY:
            return None
        return target.drained.rate_bps * PAYLOAD_SHARE

    def _in_doubt(self, group: SideBySide) -> Verdict | None:
        """Return that nobody can tell, where what is missing would."""
        if all(map(self._is_policed, (*group.targets, *group.controls))):
            why = f"{group.slower}, both policed: by a plan, or by a rule that hits the control, too"
            return self._open(why)
        if group.contrast < self.thresholds.contrast:
            return None
        if not group.sees_delays:
            return self._open(f"{group.slower}, at no one rate; packets at the sender would tell why")
        if group.exceeds(_COUNTS["data"], HINT):
            return self._open(f"{group.slower}, with more losses, but too few to rule out chance")
        return None

    def _not_limited(self, group: SideBySide) -> Verdict:
        if group.contrast < self.thresholds.contrast:
            return self._not(None, f"{group.slower}: alike", group.contrast)
        if any(each.congested for each in group.targets):
            return self._not(Mechanism.CONGESTION, f"{group.slower}; a queue, but no steady limit", group.contrast)
        if any(each.lost_share for each in group.targets):
            return self._not(Mechanism.LOSS, f"{group.slower}; no more losses than chance allows", group.contrast)
        why = f"{group.slower}, but neither losses nor a queue: its ends were the limit"
        return self._not(Mechanism.APP_LIMITED, why, group.contrast)

    def _open(self, why: str) -> Verdict:
        return inconclusive(self.name, why, version=self.version)

    def _yes(
        self, mechanism: Mechanism | None, why: str, group: SideBySide, *,
        rate_bps: float | None, burst: float | None = None, onset: float | None = None,
    ) -> Verdict:  # fmt: skip
        return Verdict(
            detector=self.name, version=self.version, outcome=Outcome.THROTTLED, why=why, score=group.contrast,
            rate_bps=rate_bps, burst_bytes=burst, mechanism=mechanism, content_specific=True, onset_s=onset,
        )  # fmt: skip

    def _not(self, mechanism: Mechanism | None, why: str, contrast: float = 0.0) -> Verdict:
        return Verdict(
            detector=self.name, version=self.version, outcome=Outcome.NOT_THROTTLED, why=why,
            score=min(contrast, 1.0), mechanism=mechanism,
        )  # fmt: skip


def _stopped(target: Transfer) -> tuple[Mechanism, str] | None:
    """Return how a target was ended, where it was: what moves nothing, or stops for good, has no speed to compare."""
    if not target.total_bytes:
        return Mechanism.BLOCKED, "the target moved no data while its control did: blocked, not slowed"
    if target.ending is Ending.COMPLETE or target.ended_s is None:
        return None
    silence_s = target.ended_s - target.duration_s
    if silence_s >= SILENCE_S and silence_s >= SILENT_SHARE * target.ended_s:
        return Mechanism.FROZEN, f"the target stopped for good after {target.total_bytes} bytes: frozen, not slowed"
    return None


_COUNTS: Final[Mapping[str, Callable[[Evidence], Counted]]] = {
    "data": lambda each: each.losses,
    "acknowledgements": lambda each: each.lost_acks,
    # A box that drops a few percent of both has lost too few of either.
    "data and acknowledgements": lambda each: each.losses + each.lost_acks,
}


def _onset(target: Evidence) -> float | None:
    return float(target.found.times_s[np.flatnonzero(target.found.lost)[0]]) if target.found is not None else None
